// The Go client of ZooKeeper: sessions, ephemerals, watches, multi, access control, locks.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/go-zookeeper/zk"
)

type quiet struct{}

func (quiet) Printf(string, ...interface{}) {}

func check(holds bool, what ...interface{}) {
	if !holds {
		fmt.Println(what...)
		os.Exit(1)
	}
}

func must(err error, what string) {
	check(err == nil, what, err)
}

func connect() *zk.Conn {
	conn, events, err := zk.Connect([]string{os.Args[1]}, 20*time.Second, zk.WithLogger(quiet{}))
	must(err, "connect")
	for event := range events {
		if event.State == zk.StateHasSession {
			return conn
		}
	}
	return nil
}

func next(events <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case event := <-events:
		check(event.Type == kind && event.Path == path, "told", event, "not", kind, path)
	case <-time.After(10 * time.Second):
		check(false, "not told of", kind, path)
	}
}

func main() {
	one, two := connect(), connect()
	open := zk.WorldACL(zk.PermAll)
	path, err := one.Create("/go", []byte("x"), 0, open)
	must(err, "create")
	check(path == "/go", path)
	data, stat, events, err := two.GetW("/go")
	must(err, "get")
	check(string(data) == "x" && stat.Version == 0, "get", data, stat)
	_, err = one.Set("/go", []byte("y"), 0)
	must(err, "set")
	next(events, zk.EventNodeDataChanged, "/go")
	_, err = one.Set("/go", nil, 7)
	check(err == zk.ErrBadVersion, "bad version", err)

	_, _, children, err := two.ChildrenW("/go")
	must(err, "children")
	path, err = one.CreateProtectedEphemeralSequential("/go/e-", nil, open)
	must(err, "ephemeral")
	next(children, zk.EventNodeChildrenChanged, "/go")
	_, _, gone, err := two.ExistsW(path)
	must(err, "exists")
	_, err = one.CreateContainer("/go/box", nil, zk.FlagTTL, open)
	check(err != nil, "a container with other flags")
	_, err = one.CreateTTL("/go/ttl", nil, zk.FlagTTL, open, time.Minute)
	must(err, "ttl")

	results, err := one.Multi(
		&zk.CreateRequest{Path: "/go/m", Acl: open},
		&zk.SetDataRequest{Path: "/go", Version: 1},
		&zk.CheckVersionRequest{Path: "/go/m", Version: 0})
	must(err, "multi")
	check(results[0].String == "/go/m" && results[1].Stat.Version == 2, "multi", results)
	results, err = one.Multi(&zk.DeleteRequest{Path: "/go/m", Version: -1}, &zk.DeleteRequest{Path: "/no", Version: -1})
	check(err == zk.ErrNoNode && results[1].Error == zk.ErrNoNode, "a multi that fails", results, err)

	must(one.AddAuth("digest", []byte("joe:secret")), "auth")
	_, err = one.Create("/go/secret", nil, 0, zk.DigestACL(zk.PermAll, "joe", "secret"))
	must(err, "acl")
	_, _, err = two.Get("/go/secret")
	check(err == zk.ErrNoAuth, "no auth", err)

	lock, other := zk.NewLock(one, "/golock", open), zk.NewLock(two, "/golock", open)
	must(lock.Lock(), "lock")
	held := make(chan error)
	go func() { held <- other.Lock() }()
	select {
	case <-held:
		check(false, "two hold one lock")
	case <-time.After(200 * time.Millisecond):
	}
	must(lock.Unlock(), "unlock")
	must(<-held, "the next holder")

	one.Close()
	next(gone, zk.EventNodeDeleted, path)
	two.Close()
	fmt.Println("ok")
}
