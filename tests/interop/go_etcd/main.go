// etcd's own Go client against an address: prints "ok" when every step answered as etcd would. The first half is
// what kube-apiserver asks of its etcd, by the same package.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/kubernetes"
)

func check(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

func that(holds bool, what string, more ...any) {
	if !holds {
		log.Output(2, fmt.Sprint(append([]any{what, ": "}, more...)...))
		os.Exit(1)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config := clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 5 * time.Second}
	kube, err := kubernetes.New(config)
	check(err)
	defer kube.Close()
	apiserver(clientv3.WithRequireLeader(ctx), kube)
	compactor(ctx, kube.Client)
	recipes(ctx, kube.Client)
	rest(ctx, kube.Client)
	fmt.Println("ok")
}

func apiserver(ctx context.Context, kube *kubernetes.Client) {
	const prefix = "/registry/pods/"
	start, err := kube.Client.Get(ctx, "\x00")
	check(err)
	watch := kube.Client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithPrevKV(),
		clientv3.WithRev(start.Header.Revision+1), clientv3.WithProgressNotify())
	revisions := map[string]int64{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		put, err := kube.Kubernetes.OptimisticPut(ctx, prefix+name, []byte("1"), 0, kubernetes.PutOptions{GetOnFailure: true})
		check(err)
		that(put.Succeeded, "create", name)
		revisions[name] = put.Revision
	}
	again, err := kube.Kubernetes.OptimisticPut(ctx, prefix+"a", []byte("x"), 0, kubernetes.PutOptions{GetOnFailure: true})
	check(err)
	that(!again.Succeeded && again.KV.ModRevision == revisions["a"], "create twice", again)
	update, err := kube.Kubernetes.OptimisticPut(ctx, prefix+"a", []byte("2"), revisions["a"], kubernetes.PutOptions{})
	check(err)
	that(update.Succeeded, "update")
	gone, err := kube.Kubernetes.OptimisticDelete(ctx, prefix+"b", revisions["a"], kubernetes.DeleteOptions{GetOnFailure: true})
	check(err)
	that(!gone.Succeeded && gone.KV != nil, "delete at a wrong revision")
	gone, err = kube.Kubernetes.OptimisticDelete(ctx, prefix+"b", revisions["b"], kubernetes.DeleteOptions{GetOnFailure: true})
	check(err)
	that(gone.Succeeded, "delete")

	page, err := kube.Kubernetes.List(ctx, prefix, kubernetes.ListOptions{Limit: 2})
	check(err)
	that(len(page.Kvs) == 2 && page.Count == 4, "first page", page)
	rest, err := kube.Kubernetes.List(ctx, prefix, kubernetes.ListOptions{Revision: page.Revision,
		Limit: 10, Continue: string(page.Kvs[1].Key) + "\x00"})
	check(err)
	that(len(rest.Kvs) == 2 && string(rest.Kvs[0].Key) == prefix+"d", "second page", rest)
	old, err := kube.Kubernetes.List(ctx, prefix, kubernetes.ListOptions{Revision: revisions["e"]})
	check(err)
	that(len(old.Kvs) == 5, "the past", old)
	_, err = kube.Kubernetes.List(ctx, prefix, kubernetes.ListOptions{Revision: update.Revision + 1000})
	that(errors.Is(err, rpctypes.ErrFutureRev), "the future", err)
	count, err := kube.Kubernetes.Count(ctx, prefix, kubernetes.CountOptions{})
	check(err)
	that(count == 4, "count", count)
	one, err := kube.Kubernetes.Get(ctx, prefix+"a", kubernetes.GetOptions{})
	check(err)
	that(string(one.KV.Value) == "2", "get")

	seen := 0
	for seen < 7 {
		reply := <-watch
		check(reply.Err())
		for _, event := range reply.Events {
			seen++
			switch {
			case seen <= 5:
				that(event.IsCreate() && event.PrevKv == nil, "create event", event)
			case seen == 6:
				that(event.IsModify() && string(event.PrevKv.Value) == "1", "update event", event)
			default:
				that(event.Type == clientv3.EventTypeDelete && string(event.PrevKv.Value) == "1", "delete event", event)
			}
		}
	}
	check(kube.Client.RequestProgress(ctx))
	reply := <-watch
	that(reply.IsProgressNotify() && reply.Header.Revision == gone.Revision, "progress", reply)

	lease, err := kube.Client.Grant(ctx, 60)
	check(err)
	event, err := kube.Kubernetes.OptimisticPut(ctx, "/registry/events/1", []byte("e"), 0, kubernetes.PutOptions{LeaseID: lease.ID})
	check(err)
	that(event.Succeeded, "a leased key")
	status, err := kube.Client.Status(ctx, kube.Client.Endpoints()[0])
	check(err)
	that(status.DbSize > 0 && status.Version >= "3.5.13", "status", status)
}

// As kube-apiserver's compaction loop: who wins the key compacts.
func compactor(ctx context.Context, client *clientv3.Client) {
	const key = "compact_rev_key"
	for round := range 2 {
		now, err := client.Get(ctx, key)
		check(err)
		reply, err := client.KV.Txn(ctx).If(
			clientv3.Compare(clientv3.Version(key), "=", int64(round)),
		).Then(clientv3.OpPut(key, fmt.Sprint(now.Header.Revision))).Else(clientv3.OpGet(key)).Commit()
		check(err)
		that(reply.Succeeded, "compaction key", round)
		_, err = client.Compact(ctx, now.Header.Revision)
		check(err)
	}
	watch := client.Watch(ctx, "/registry/", clientv3.WithPrefix(), clientv3.WithRev(2))
	for reply := range watch {
		if reply.Err() != nil {
			that(reply.CompactRevision > 2 && errors.Is(reply.Err(), rpctypes.ErrCompacted), "compacted watch", reply)
			return
		}
	}
	that(false, "a watch of the compacted past went on")
}

func recipes(ctx context.Context, client *clientv3.Client) {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	check(err)
	other, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	check(err)
	mutex, rival := concurrency.NewMutex(session, "/lock"), concurrency.NewMutex(other, "/lock")
	check(mutex.Lock(ctx))
	that(errors.Is(rival.TryLock(ctx), concurrency.ErrLocked), "the lock was free")
	got := make(chan error, 1)
	go func() { got <- rival.Lock(ctx) }()
	check(mutex.Unlock(ctx))
	check(<-got)

	election, late := concurrency.NewElection(session, "/lead"), concurrency.NewElection(other, "/lead")
	check(election.Campaign(ctx, "one"))
	observed := late.Observe(ctx)
	that(string((<-observed).Kvs[0].Value) == "one", "leader")
	go func() { got <- late.Campaign(ctx, "two") }()
	check(session.Close()) // the lease goes, and with it the leadership
	check(<-got)
	for reply := range observed {
		if string(reply.Kvs[0].Value) == "two" {
			break
		}
	}

	_, err = client.Put(ctx, "/count", "0")
	check(err)
	const workers, turns = 4, 10
	done := make(chan error, workers)
	for range workers {
		go func() {
			for range turns {
				_, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
					var number int
					fmt.Sscan(stm.Get("/count"), &number)
					stm.Put("/count", fmt.Sprint(number+1))
					return nil
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range workers {
		check(<-done)
	}
	reply, err := client.Get(ctx, "/count")
	check(err)
	that(string(reply.Kvs[0].Value) == fmt.Sprint(workers*turns), "transactions", reply)
	check(other.Close())
}

func rest(ctx context.Context, client *clientv3.Client) {
	check(client.Sync(ctx)) // the members' addresses are ones that can be dialled
	_, err := client.Get(ctx, "/count")
	check(err)
	lease, err := client.Grant(ctx, 5)
	check(err)
	alive, err := client.KeepAlive(ctx, lease.ID)
	check(err)
	that((<-alive).TTL == 5, "keepalive")
	_, err = client.Revoke(ctx, lease.ID)
	check(err)
	left, err := client.TimeToLive(ctx, lease.ID)
	check(err)
	that(left.TTL == -1, "an ended lease", left)
	_, err = client.Put(ctx, "", "x")
	that(errors.Is(err, rpctypes.ErrEmptyKey), "an empty key", err)
	_, err = client.Put(ctx, "k", "v", clientv3.WithLease(lease.ID))
	that(errors.Is(err, rpctypes.ErrLeaseNotFound), "an ended lease", err)

	watch := client.Watch(ctx, "big/", clientv3.WithPrefix(), clientv3.WithFragment())
	value := bytes.Repeat([]byte("x"), 1<<20)
	for number := range 3 {
		_, err = client.Put(ctx, fmt.Sprintf("big/%d", number), string(value))
		check(err)
	}
	for seen := 0; seen < 3; {
		reply := <-watch
		check(reply.Err())
		seen += len(reply.Events)
	}
	stream, err := client.Snapshot(ctx)
	check(err)
	size, err := io.Copy(io.Discard, stream)
	check(err)
	that(size > 3<<20, "snapshot", size)
	_, err = client.MemberList(ctx)
	check(err)
	_, err = client.Defragment(ctx, client.Endpoints()[0])
	check(err)
}
