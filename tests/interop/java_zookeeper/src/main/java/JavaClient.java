import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** The Java client of ZooKeeper's own: what it alone, or it first, asks a server for. */
public class JavaClient {
    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static ZooKeeper connect(String address) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(address, 20000, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        check(connected.await(20, TimeUnit.SECONDS), "connected");
        return zk;
    }

    static void next(BlockingQueue<String> told, String... expected) throws Exception {
        for (String one : expected) {
            String found = told.poll(10, TimeUnit.SECONDS);
            check(one.equals(found), "told " + found + ", not " + one);
        }
    }

    static void refused(Code code, Call call) throws Exception {
        try {
            call.run();
        } catch (KeeperException error) {
            check(error.code() == code, error.code() + " is not " + code);
            return;
        }
        throw new AssertionError("not refused with " + code);
    }

    interface Call {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        ZooKeeper zk = connect(args[0]);
        ZooKeeper other = connect(args[0]);
        String root = zk.create("/java", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        creates(zk);
        watches(zk, other);
        multi(zk);
        others(zk, other);
        pipeline(zk);
        other.close();
        zk.close();
        System.out.println("ok");
        System.exit(0);
    }

    static void creates(ZooKeeper zk) throws Exception {
        Stat stat = new Stat();
        zk.create("/java/two", "x".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
        check(stat.equals(zk.exists("/java/two", false)), "create2's stat");
        zk.create("/java/box", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        zk.create("/java/ttl", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 60000);
        String first = zk.create("/java/t-", new byte[0], Ids.OPEN_ACL_UNSAFE,
            CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 60000);
        check(first.equals("/java/t-0000000003"), first);
        refused(Code.NOTEMPTY, () -> zk.delete("/java", -1));
        refused(Code.BADVERSION, () -> zk.setData("/java/two", new byte[0], 5));
        check(zk.getData("/java/two", false, stat).length == 1, "data");
        check(zk.getAllChildrenNumber("/java") == 4, "all children");
    }

    static void watches(ZooKeeper zk, ZooKeeper other) throws Exception {
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        zk.create("/java/w", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Watcher watcher = event -> told.add(event.getType() + " " + event.getPath());
        zk.addWatch("/java/w", watcher, AddWatchMode.PERSISTENT_RECURSIVE);
        for (int round = 0; round < 2; round++) {
            other.create("/java/w/x", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            other.setData("/java/w/x", new byte[1], -1);
            other.delete("/java/w/x", -1);
            next(told, "NodeCreated /java/w/x", "NodeDataChanged /java/w/x", "NodeDeleted /java/w/x");
        }
        zk.removeWatches("/java/w", watcher, Watcher.WatcherType.Any, false);
        next(told, "PersistentWatchRemoved /java/w");
        zk.addWatch("/java/w", watcher, AddWatchMode.PERSISTENT);
        other.setData("/java/w", new byte[1], -1);
        other.create("/java/w/y", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        next(told, "NodeDataChanged /java/w", "NodeChildrenChanged /java/w");
        zk.getData("/java/two", watcher, null);
        zk.removeWatches("/java/two", watcher, Watcher.WatcherType.Data, false);
        next(told, "DataWatchRemoved /java/two");
    }

    static void multi(ZooKeeper zk) throws Exception {
        List<OpResult> results = zk.multi(List.of(
            Op.create("/java/m", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData("/java/m", new byte[3], 0),
            Op.check("/java/m", 1),
            Op.create("/java/m/c", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
            Op.delete("/java/m/c", -1)));
        check(((OpResult.SetDataResult) results.get(1)).getStat().getVersion() == 1, "multi's stat");
        check(((OpResult.CreateResult) results.get(3)).getStat() != null, "a container's stat in a multi");
        try {
            zk.multi(List.of(Op.delete("/java/m", -1), Op.delete("/java/nothing", -1)));
            throw new AssertionError("a multi that must fail");
        } catch (KeeperException.NoNodeException error) {
            check(error.getResults().size() == 2, "results of a failed multi");
            check(zk.exists("/java/m", false) != null, "rolled back");
        }
        List<OpResult> read = zk.multi(List.of(Op.getData("/java/m"), Op.getChildren("/java/nothing")));
        check(((OpResult.GetDataResult) read.get(0)).getData().length == 3, "multiRead");
        check(((OpResult.ErrorResult) read.get(1)).getErr() == Code.NONODE.intValue(), "an error in a multiRead");
    }

    static void others(ZooKeeper zk, ZooKeeper other) throws Exception {
        other.create("/java/e", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        check(other.getEphemerals().equals(List.of("/java/e")), "ephemerals");
        check(zk.getEphemerals().isEmpty(), "others' ephemerals");
        zk.addAuthInfo("digest", "joe:secret".getBytes());
        check(zk.whoAmI().stream().anyMatch(info -> info.getUser().equals("joe")), "whoAmI");
        zk.create("/java/j", new byte[0], Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        refused(Code.NOAUTH, () -> other.getData("/java/j", false, null));
        CountDownLatch synced = new CountDownLatch(1);
        other.sync("/java", (rc, path, context) -> synced.countDown(), null);
        check(synced.await(10, TimeUnit.SECONDS), "sync");
        check(zk.getConfig(false, new Stat()) != null, "config");
    }

    static void pipeline(ZooKeeper zk) throws Exception {
        List<Integer> order = new ArrayList<>();
        CountDownLatch done = new CountDownLatch(2000);
        AsyncCallback.StatCallback answered = (rc, path, context, stat) -> {
            order.add(stat.getVersion());
            done.countDown();
        };
        for (int number = 0; number < 2000; number++) {
            zk.setData("/java/two", new byte[10], -1, answered, null);
        }
        check(done.await(30, TimeUnit.SECONDS), "all answered");
        for (int number = 0; number < 2000; number++) {
            check(order.get(number) == number + 1, "in order");
        }
    }
}
