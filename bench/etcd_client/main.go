// The client of bench/etcd.py: etcd's own, a connection for each worker.
//
//	etcd_client ADDRESS KIND CLIENTS SECONDS
//
// prints one line of JSON: operations, seconds, and the latencies' median and 99th percentile in milliseconds.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const keys = 1000

var ctx = context.Background()
var value = string(make([]byte, 256))

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func connect(address string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 10 * time.Second})
	check(err)
	return client
}

func key(worker, n int) string { return fmt.Sprintf("/bench/%04d", (worker*31+n)%keys) }

// What one operation of a kind does; the leases are the worker's own.
func operation(kind string, client *clientv3.Client, worker, n int, leases []clientv3.LeaseID) error {
	var err error
	switch kind {
	case "put":
		_, err = client.Put(ctx, key(worker, n), value)
	case "get":
		_, err = client.Get(ctx, key(worker, n))
	case "txn":
		name := key(worker, n)
		_, err = client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(name), ">", 0)).
			Then(clientv3.OpPut(name, value), clientv3.OpGet(name)).
			Else(clientv3.OpPut(name, value)).Commit()
	case "keepalive":
		_, err = client.KeepAliveOnce(ctx, leases[n%len(leases)])
	}
	return err
}

func cell(address, kind string, count int, seconds float64) []float64 {
	clients := make([]*clientv3.Client, count)
	leases := make([][]clientv3.LeaseID, count)
	for i := range clients {
		clients[i] = connect(address)
		if kind == "get" || kind == "txn" {
			_, err := clients[i].Put(ctx, key(i, 0), value)
			check(err)
		}
	}
	if kind == "keepalive" {
		for i := 0; i < keys; i++ {
			grant, err := clients[i%count].Grant(ctx, 600)
			check(err)
			leases[i%count] = append(leases[i%count], grant.ID)
		}
	}
	var wait sync.WaitGroup
	found := make([][]float64, count)
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for i := range clients {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for n := 0; ; n++ {
				began := time.Now()
				if began.After(end) {
					return
				}
				check(operation(kind, clients[i], i, n, leases[i]))
				found[i] = append(found[i], float64(time.Since(began).Microseconds())/1000)
			}
		}(i)
	}
	wait.Wait()
	var all []float64
	for i := range found {
		all = append(all, found[i]...)
		clients[i].Close()
	}
	return all
}

// How long after a put the last of the watchers has its event.
func fanout(address string, count int, seconds float64) []float64 {
	events := make(chan time.Time, count)
	for i := 0; i < count; i++ {
		client := connect(address)
		watch := client.Watch(ctx, "/bench/watched", clientv3.WithCreatedNotify())
		<-watch
		go func() {
			for response := range watch {
				for range response.Events {
					events <- time.Now()
				}
			}
		}()
	}
	writer := connect(address)
	var all []float64
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for time.Now().Before(end) {
		began := time.Now()
		_, err := writer.Put(ctx, "/bench/watched", value)
		check(err)
		last := began
		for i := 0; i < count; i++ {
			if at := <-events; at.After(last) {
				last = at
			}
		}
		all = append(all, float64(last.Sub(began).Microseconds())/1000)
	}
	return all
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	check(err)
	seconds, err := strconv.ParseFloat(os.Args[4], 64)
	check(err)
	began := time.Now()
	var all []float64
	if os.Args[2] == "fanout" {
		all = fanout(os.Args[1], count, seconds)
	} else {
		all = cell(os.Args[1], os.Args[2], count, seconds)
	}
	elapsed := time.Since(began).Seconds()
	if elapsed > seconds {
		elapsed = seconds
	}
	sort.Float64s(all)
	out := map[string]any{"operations": len(all), "seconds": elapsed}
	if len(all) > 0 {
		out["p50_ms"] = all[len(all)/2]
		out["p99_ms"] = all[len(all)*99/100]
	}
	check(json.NewEncoder(os.Stdout).Encode(out))
}
