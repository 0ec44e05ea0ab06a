import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.watch.WatchEvent;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;

/** Keys, watches, leases, transactions and a lock through jetcd, which speaks HTTP/2 by Netty. */
public class EtcdLife {
  static ByteSequence bytes(String text) {
    return ByteSequence.from(text, UTF_8);
  }

  static void same(Object expected, Object found) {
    if (!expected.equals(found)) throw new AssertionError(expected + " was expected, not " + found);
  }

  public static void main(String[] arguments) throws Exception {
    try (Client client = Client.builder().endpoints("http://" + arguments[0]).build()) {
      KV keys = client.getKVClient();
      keys.put(bytes("a"), bytes("1")).get(10, SECONDS);
      same("1", keys.get(bytes("a")).get().getKvs().get(0).getValue().toString());
      watches(client, keys);
      leases(client, keys);
      var compare = new Cmp(bytes("a"), Cmp.Op.EQUAL, CmpTarget.value(bytes("1")));
      var put = Op.put(bytes("a"), bytes("2"), PutOption.DEFAULT);
      same(true, keys.txn().If(compare).Then(put).commit().get().isSucceeded());
      same(false, keys.txn().If(compare).Then(put).commit().get().isSucceeded());
      keys.put(bytes("big"), ByteSequence.from(new byte[1_000_000])).get();
      same(1_000_000, keys.get(bytes("big")).get().getKvs().get(0).getValue().size());
      var puts = new CompletableFuture<?>[500];
      for (int n = 0; n < puts.length; n++) puts[n] = keys.put(bytes("many/" + n), bytes("v"));
      CompletableFuture.allOf(puts).get(20, SECONDS);
      var count = GetOption.builder().isPrefix(true).withCountOnly(true).build();
      same(500L, keys.get(bytes("many/"), count).get().getCount());
      try {
        keys.get(bytes("a"), GetOption.builder().withRevision(99_999).build()).get();
        throw new AssertionError("a revision to come was read");
      } catch (ExecutionException refused) {
        same(
            "OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision",
            refused.getCause().getMessage());
      }
      same(true, client.getLockClient().lock(bytes("m"), 0).get(10, SECONDS).getKey().toString().startsWith("m/"));
    }
    System.out.println("ok");
  }

  static void watches(Client client, KV keys) throws Exception {
    BlockingQueue<String> events = new LinkedBlockingQueue<>();
    long next = keys.put(bytes("w"), bytes("0")).get().getHeader().getRevision();
    var from = io.etcd.jetcd.options.WatchOption.builder().withRevision(next).build();
    var watcher =
        client.getWatchClient().watch(bytes("w"), from, response -> {
          for (WatchEvent event : response.getEvents())
            events.add(event.getEventType() + " " + event.getKeyValue().getValue());
        });
    keys.put(bytes("w"), bytes("1")).get();
    keys.delete(bytes("w")).get();
    for (String expected : new String[] {"PUT 0", "PUT 1", "DELETE "}) same(expected, events.poll(10, SECONDS));
    watcher.close();
  }

  static void leases(Client client, KV keys) throws Exception {
    long lease = client.getLeaseClient().grant(60).get().getID();
    keys.put(bytes("l"), bytes("x"), PutOption.builder().withLeaseId(lease).build()).get();
    same(60L, client.getLeaseClient().keepAliveOnce(lease).get().getTTL());
    client.getLeaseClient().revoke(lease).get();
    same(0L, keys.get(bytes("l")).get().getCount());
  }
}
