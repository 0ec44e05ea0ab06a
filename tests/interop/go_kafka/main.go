// A topic's life with franz-go: made, written, read by a group, written in transactions, described, deleted.
// Prints "ok" when every step answered as Kafka would.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic = "franz-life"
	group = "franz-group"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func client(more ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"))}, more...)...)
	check(err)
	return made
}

// read reads so many records as a member of the group, and commits them.
func read(ctx context.Context, count int) map[string]bool {
	consumer := client(
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	defer consumer.Close()
	seen := map[string]bool{}
	for len(seen) < count {
		fetched := consumer.PollFetches(ctx)
		check(ctx.Err())
		for _, failure := range fetched.Errors() {
			log.Fatal(failure.Err)
		}
		fetched.EachRecord(func(record *kgo.Record) { seen[string(record.Value)] = true })
	}
	check(consumer.CommitUncommittedOffsets(ctx))
	return seen
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	producer := client()
	defer producer.Close()
	admin := kadm.NewClient(producer)

	_, err := admin.CreateTopic(ctx, 3, 1, nil, topic)
	check(err)
	for number := 0; number < 300; number++ {
		record := &kgo.Record{Topic: topic, Key: []byte(fmt.Sprintf("k%d", number%7)), Value: []byte(fmt.Sprintf("v%d", number))}
		producer.Produce(ctx, record, func(_ *kgo.Record, err error) { check(err) })
	}
	check(producer.Flush(ctx))
	if seen := read(ctx, 300); !seen["v0"] || !seen["v299"] {
		log.Fatalf("read %d others", len(seen))
	}

	transactional := client(kgo.TransactionalID("franz-tx"), kgo.DefaultProduceTopic(topic))
	defer transactional.Close()
	for _, value := range []string{"aborted", "committed"} {
		check(transactional.BeginTransaction())
		check(transactional.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr())
		check(transactional.EndTransaction(ctx, kgo.TransactionEndTry(value == "committed")))
	}
	if seen := read(ctx, 1); !seen["committed"] || len(seen) != 1 {
		log.Fatalf("read %v", seen)
	}

	lags, err := admin.Lag(ctx, group)
	check(err)
	if lag := lags[group].Lag.Total(); lag > 2 { // markers have offsets too
		log.Fatalf("lag %d", lag)
	}
	_, err = admin.DeleteGroups(ctx, group)
	check(err)
	_, err = admin.DeleteTopics(ctx, topic)
	check(err)
	fmt.Println("ok")
}
