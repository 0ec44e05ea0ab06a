import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;

/** Curator: its framework and its recipes. */
public class CuratorClient {
    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static CuratorFramework connect(String address) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(address, 20000, 15000, new RetryOneTime(100));
        client.start();
        check(client.blockUntilConnected(20, TimeUnit.SECONDS), "connected");
        return client.usingNamespace("curator");
    }

    public static void main(String[] args) throws Exception {
        CuratorFramework one = connect(args[0]);
        CuratorFramework two = connect(args[0]);
        framework(one);
        caches(one, two);
        locks(one, two);
        groups(one, two);
        System.out.println("ok");
        System.exit(0);
    }

    static void framework(CuratorFramework client) throws Exception {
        client.create().creatingParentContainersIfNeeded().withMode(CreateMode.PERSISTENT).forPath("/a/b/c", "x".getBytes());
        client.create().orSetData().forPath("/a/b/c", "y".getBytes());
        check(new String(client.getData().forPath("/a/b/c")).equals("y"), "orSetData");
        String path = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/a/p-");
        check(path.contains("_c_"), "protection");
        client.create().withTtl(60000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/ttl", new byte[0]);
        List<CuratorTransactionResult> results = client.transaction().forOperations(
            client.transactionOp().create().forPath("/t", "1".getBytes()),
            client.transactionOp().setData().forPath("/t", "2".getBytes()),
            client.transactionOp().check().withVersion(1).forPath("/t"));
        check(results.size() == 3, "transaction");
        client.delete().deletingChildrenIfNeeded().forPath("/a");
        check(client.checkExists().forPath("/a") == null, "deleted");
        check(client.getConfig().forEnsemble() != null, "config");
    }

    static void caches(CuratorFramework one, CuratorFramework two) throws Exception {
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        CuratorCache cache = CuratorCache.build(one, "/cache");
        cache.listenable().addListener((type, before, now) -> told.add(type + " " + (now == null ? before : now).getPath()));
        cache.start();
        two.create().creatingParentsIfNeeded().forPath("/cache/x", "1".getBytes());
        until(told, "NODE_CREATED /cache/x");
        two.setData().forPath("/cache/x", "2".getBytes());
        until(told, "NODE_CHANGED /cache/x");
        two.delete().forPath("/cache/x");
        until(told, "NODE_DELETED /cache/x");
        cache.close();
        CountDownLatch heard = new CountDownLatch(3);
        PersistentWatcher watcher = new PersistentWatcher(one, "/cache", true);
        watcher.getListenable().addListener(event -> heard.countDown());
        watcher.start();
        Thread.sleep(200);
        for (int number = 0; number < 5; number++) {
            two.setData().forPath("/cache", new byte[number]);
        }
        check(heard.await(10, TimeUnit.SECONDS), "a persistent watcher");
        watcher.close();
    }

    static void until(BlockingQueue<String> told, String expected) throws Exception {
        String last = "";
        while (!last.equals(expected)) {
            last = told.poll(10, TimeUnit.SECONDS);
            check(last != null, "the cache hears " + expected);
        }
    }

    static void locks(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessMutex mine = new InterProcessMutex(one, "/lock");
        InterProcessMutex theirs = new InterProcessMutex(two, "/lock");
        check(mine.acquire(10, TimeUnit.SECONDS), "a lock");
        check(!theirs.acquire(200, TimeUnit.MILLISECONDS), "held by one");
        mine.release();
        check(theirs.acquire(10, TimeUnit.SECONDS), "handed on");
        theirs.release();
        InterProcessReadWriteLock rw = new InterProcessReadWriteLock(one, "/rw");
        InterProcessReadWriteLock rw2 = new InterProcessReadWriteLock(two, "/rw");
        rw.readLock().acquire();
        check(rw2.readLock().acquire(10, TimeUnit.SECONDS), "two readers");
        check(!rw2.writeLock().acquire(200, TimeUnit.MILLISECONDS), "no writer beside readers");
        rw.readLock().release();
        rw2.readLock().release();
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(one, "/semaphore", 2);
        check(semaphore.acquire(2, 10, TimeUnit.SECONDS) != null, "leases");
        check(semaphore.acquire(200, TimeUnit.MILLISECONDS) == null, "no third");
        DistributedAtomicLong number = new DistributedAtomicLong(one, "/number", new RetryOneTime(10));
        for (int count = 0; count < 10; count++) {
            check(number.increment().succeeded(), "increment");
        }
        check(number.get().postValue() == 10, "ten");
    }

    static void groups(CuratorFramework one, CuratorFramework two) throws Exception {
        LeaderLatch first = new LeaderLatch(one, "/leader", "one");
        LeaderLatch second = new LeaderLatch(two, "/leader", "two");
        first.start();
        check(first.await(10, TimeUnit.SECONDS), "a leader");
        second.start();
        first.close();
        check(second.await(10, TimeUnit.SECONDS), "the next leader");
        second.close();
        GroupMember member = new GroupMember(one, "/group", "one");
        GroupMember other = new GroupMember(two, "/group", "two");
        member.start();
        other.start();
        for (int tries = 0; member.getCurrentMembers().size() < 2; tries++) {
            check(tries < 100, "two members");
            Thread.sleep(100);
        }
        PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/persistent", new byte[0]);
        node.start();
        check(node.waitForInitialCreate(10, TimeUnit.SECONDS), "a persistent node");
        node.close();
        SimpleDistributedQueue queue = new SimpleDistributedQueue(one, "/queue");
        queue.offer("job".getBytes());
        check(new String(new SimpleDistributedQueue(two, "/queue").take()).equals("job"), "a queue");
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(one, "/barrier", 2);
        Thread entering = new Thread(() -> {
            try {
                new DistributedDoubleBarrier(two, "/barrier", 2).enter();
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        });
        entering.start();
        check(barrier.enter(10, TimeUnit.SECONDS), "a barrier");
        entering.join();
    }
}
