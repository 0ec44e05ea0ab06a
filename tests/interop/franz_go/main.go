// franz-go: a topic's life, a group of the classic and one of the newer protocol, a transaction. Prints "ok".
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "franz-go"

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(options, kgo.SeedBrokers(os.Getenv("KAFKA_BOOTSTRAP_SERVERS")))...)
	check(err)
	return made
}

func consume(ctx context.Context, wanted int, options ...kgo.Opt) {
	consumer := client(append(options, kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	defer consumer.Close()
	seen := map[string]bool{}
	for len(seen) < wanted {
		fetches := consumer.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) { seen[string(record.Value)] = true })
	}
	if !seen["kept"] || seen["dropped"] {
		panic("a transaction was not what it should be")
	}
	check(consumer.CommitUncommittedOffsets(ctx))
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	plain := client()
	defer plain.Close()
	admin := kadm.NewClient(plain)
	_, err := admin.CreateTopic(ctx, 3, 1, nil, topic)
	check(err)
	for number := 0; number < 100; number++ {
		record := &kgo.Record{Topic: topic, Key: []byte(fmt.Sprint(number)), Value: []byte(fmt.Sprint("v", number))}
		check(plain.ProduceSync(ctx, record).FirstErr())
	}
	transactional := client(kgo.TransactionalID("franz-go"))
	for _, one := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"kept", kgo.TryCommit}, {"dropped", kgo.TryAbort}} {
		check(transactional.BeginTransaction())
		check(transactional.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(one.value)}).FirstErr())
		check(transactional.EndTransaction(ctx, one.end))
	}
	transactional.Close()
	consume(ctx, 101, kgo.ConsumerGroup("franz-classic"))
	next := context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true)
	consume(ctx, 101, kgo.ConsumerGroup("franz-next"), kgo.WithContext(next))
	lags, err := admin.Lag(ctx, "franz-classic", "franz-next")
	check(err)
	for group, lag := range lags {
		if lag.Lag.Total() > 3 { // two markers, and what was not committed
			panic(fmt.Sprint(group, " lags by ", lag.Lag.Total()))
		}
	}
	_, err = admin.DeleteTopic(ctx, topic)
	check(err)
	fmt.Println("ok")
}
