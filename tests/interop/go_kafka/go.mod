module cloudlet/interop/kafka

go 1.21

require (
	github.com/twmb/franz-go v1.18.0
	github.com/twmb/franz-go/pkg/kadm v1.14.0
)
