#include "exporter/collector.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "support/catch.hpp"
#include "support/scripted_kernel.hpp"
#include "support/udp_listener.hpp"

using namespace pollflow;
using exporter::Collector;
using exporter::CollectorAddress;
using Outcome = exporter::Collector::Outcome;
using test::Bytes;
using test::Listener;
using test::scripted_sends;

namespace {

CollectorAddress address_of(const Listener& listener) {
  return {"127.0.0.1", std::to_string(listener.port())};
}

uint16_t port_where_nobody_listens() {
  return Listener().port();
}

Bytes datagram(size_t length, uint8_t fill = 5) {
  return Bytes(length, fill);
}

struct Expected {
  uint64_t datagrams_sent = 0;
  uint64_t datagrams_failed = 0;
  uint64_t records_sent = 0;
  uint64_t records_failed = 0;
};

void check_counters(const Collector& collector, const Expected& expected) {
  CHECK(collector.counters().datagrams_sent == expected.datagrams_sent);
  CHECK(collector.counters().datagrams_failed == expected.datagrams_failed);
  CHECK(collector.counters().records_sent == expected.records_sent);
  CHECK(collector.counters().records_failed == expected.records_failed);
}

Failure failure_to_make(const CollectorAddress& address) {
  try {
    const Collector collector(address);
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("a collector where none can be: " + address.name());
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("datagrams arrive as they were sent, in order, and are counted") {
  const Listener listener;
  Collector collector(address_of(listener));
  check_counters(collector, {});
  uint64_t records = 0;
  for (unsigned count = 1; count <= 30; ++count) {
    const Bytes sent = datagram(24 + 48 * count, static_cast<uint8_t>(count));
    REQUIRE(collector.send(sent, count) == Outcome::sent);
    REQUIRE(listener.receive() == sent);
    records += count;
  }
  check_counters(collector, {.datagrams_sent = 30, .records_sent = records});
  CHECK(collector.counters().refused == 0);
  CHECK(collector.last_errno() == 0);
  CHECK(listener.silent());
}

TEST_CASE("an IPv6 collector is reached") {
  const Listener listener(AF_INET6);
  if (!listener.usable()) return;  // a machine without IPv6
  Collector collector({"::1", std::to_string(listener.port())});
  CHECK(collector.name() == "[::1]:" + std::to_string(listener.port()));
  CHECK(collector.send(datagram(72), 1) == Outcome::sent);
  CHECK(listener.receive() == datagram(72));
}

TEST_CASE("a collector is called what the operator called it") {
  CHECK(CollectorAddress{"192.0.2.1", "2055"}.name() == "192.0.2.1:2055");
  CHECK(CollectorAddress{"2001:db8::1", "9995"}.name() == "[2001:db8::1]:9995");
  CHECK(CollectorAddress{"collector.example", "1"}.name() == "collector.example:1");
  CHECK(Collector({"127.0.0.1", "2055"}).name() == "127.0.0.1:2055");
}

TEST_CASE("nobody listens: counted as refused, and every datagram as sent") {
  Collector collector({"127.0.0.1", std::to_string(port_where_nobody_listens())});
  for (uint64_t sent = 1; sent <= 50; ++sent) {
    REQUIRE(collector.send(datagram(72), 1) == Outcome::sent);
    check_counters(collector, {.datagrams_sent = sent, .records_sent = sent});
  }
  // On the loopback the answer to each is there before the next is sent; that to the last is heard.
  CHECK(collector.counters().refused == 49);
  CHECK(collector.counters().records_refused == 49);
  collector.hear();
  collector.hear();
  CHECK(collector.counters().refused == 50);
  CHECK(collector.counters().records_refused == 50);
  CHECK(collector.last_errno() == 0);
}

TEST_CASE("a datagram offered when the host's refusal of an earlier one is heard is not lost") {
  const uint16_t port = port_where_nobody_listens();
  Collector collector({"127.0.0.1", std::to_string(port)});
  REQUIRE(collector.send(datagram(72, 1), 1) == Outcome::sent);
  const Listener listener(AF_INET, port);
  if (!listener.usable()) return;  // somebody else took the port
  CHECK(collector.send(datagram(72, 2), 1) == Outcome::sent);
  CHECK(listener.receive() == datagram(72, 2));
  CHECK(listener.silent());
}

TEST_CASE("a socket that would block counts nothing, and takes the datagram later") {
  const Listener listener;
  Collector collector(address_of(listener));
  for (const int reason : {EAGAIN, EWOULDBLOCK, ENOBUFS, EINTR}) {
    CAPTURE(reason);
    scripted_sends = {reason};
    CHECK(collector.send(datagram(72), 1) == Outcome::would_block);
  }
  check_counters(collector, {});
  CHECK(listener.silent());
  CHECK(collector.send(datagram(72), 1) == Outcome::sent);
  CHECK(listener.receive() == datagram(72));
  check_counters(collector, {.datagrams_sent = 1, .records_sent = 1});
}

TEST_CASE("a datagram given up on is counted as failed") {
  const Listener listener;
  Collector collector(address_of(listener));
  scripted_sends = {EAGAIN};
  REQUIRE(collector.send(datagram(24 + 48 * 7), 7) == Outcome::would_block);
  collector.give_up(7);
  check_counters(collector, {.datagrams_failed = 1, .records_failed = 7});
  CHECK(collector.last_errno() == EAGAIN);
  CHECK(collector.counters().refused == 0);
}

TEST_CASE("what the kernel will never take is counted as failed, and the next one goes on") {
  const Listener listener;
  Collector collector(address_of(listener));
  uint64_t failed = 0;
  for (const int reason : {EPERM, EMSGSIZE, ENETUNREACH, EHOSTUNREACH, ENETDOWN}) {
    CAPTURE(reason);
    scripted_sends = std::deque<int>(100, reason);
    CHECK(collector.send(datagram(72), 3) == Outcome::failed);
    CHECK(scripted_sends.size() > 90);  // the caller is not held up
    scripted_sends.clear();
    ++failed;
    check_counters(collector, {.datagrams_failed = failed, .records_failed = 3 * failed});
    CHECK(collector.last_errno() == reason);
  }
  CHECK(collector.counters().refused == 0);
  CHECK(listener.silent());
  CHECK(collector.send(datagram(72), 2) == Outcome::sent);
  CHECK(listener.receive() == datagram(72));
  check_counters(collector, {.datagrams_sent = 1,
                             .datagrams_failed = failed,
                             .records_sent = 2,
                             .records_failed = 3 * failed});
}

TEST_CASE("a datagram too big for UDP fails, and those behind it do not") {
  const Listener listener;
  Collector collector(address_of(listener));
  CHECK(collector.send(datagram(65508), 30) == Outcome::failed);
  CHECK(collector.last_errno() == EMSGSIZE);
  check_counters(collector, {.datagrams_failed = 1, .records_failed = 30});
  CHECK(collector.send(datagram(65507), 1) == Outcome::sent);
  CHECK(listener.receive() == datagram(65507));
}

TEST_CASE("a refusal heard first does not hide what becomes of the datagram") {
  const Listener listener;
  Collector collector(address_of(listener));
  SECTION("sent") {
    scripted_sends = {ECONNREFUSED, 0};
    CHECK(collector.send(datagram(72), 1) == Outcome::sent);
    CHECK(listener.receive() == datagram(72));
    check_counters(collector, {.datagrams_sent = 1, .records_sent = 1});
  }
  SECTION("would block") {
    scripted_sends = {ECONNREFUSED, EAGAIN};
    CHECK(collector.send(datagram(72), 1) == Outcome::would_block);
    check_counters(collector, {});
  }
  SECTION("failed") {
    scripted_sends = {ECONNREFUSED, EPERM};
    CHECK(collector.send(datagram(72), 1) == Outcome::failed);
    check_counters(collector, {.datagrams_failed = 1, .records_failed = 1});
    CHECK(collector.last_errno() == EPERM);
  }
  CHECK(collector.counters().refused == 1);
}

// As firewalls do it (REJECT with icmp-host-prohibited, say): the kernel tells once, at the next
// send.
TEST_CASE("what ICMP prohibited to an earlier datagram is counted as refused, and fails no other") {
  for (const int answer : {EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, EACCES, EPROTO, ENOPROTOOPT}) {
    CAPTURE(answer);
    const Listener listener;
    Collector collector(address_of(listener));
    REQUIRE(collector.send(datagram(72, 1), 30) == Outcome::sent);
    scripted_sends = {answer};
    CHECK(collector.send(datagram(72, 2), 7) == Outcome::sent);
    scripted_sends = {answer, EAGAIN};
    CHECK(collector.send(datagram(72, 3), 5) == Outcome::would_block);
    check_counters(collector, {.datagrams_sent = 2, .records_sent = 37});
    CHECK(collector.counters().refused == 2);
    CHECK(collector.counters().records_refused == 37);
    CHECK(collector.last_answer() == answer);
    CHECK(listener.receive() == datagram(72, 1));
    CHECK(listener.receive() == datagram(72, 2));
    CHECK(listener.silent());
  }
}

// Two datagrams are on their way to a host that listens no more; the second's ICMP answer comes
// between the two offers of a third.
TEST_CASE("refusals heard twice in a row fail no datagram") {
  const Listener listener;
  Collector collector(address_of(listener));
  scripted_sends = {ECONNREFUSED, ECONNREFUSED};
  const Outcome outcome = collector.send(datagram(72), 1);
  scripted_sends.clear();
  CHECK(outcome != Outcome::failed);
  CHECK(collector.counters().datagrams_failed == 0);
  CHECK(collector.counters().refused == 2);
}

TEST_CASE("refusals without end do not hold up the caller") {
  const Listener listener;
  Collector collector(address_of(listener));
  scripted_sends = std::deque<int>(1000, ECONNREFUSED);
  const Outcome outcome = collector.send(datagram(72), 1);
  CHECK(scripted_sends.size() > 900);
  scripted_sends.clear();
  CHECK(outcome == Outcome::would_block);  // and cost no datagram
  check_counters(collector, {});
  CHECK(collector.send(datagram(72), 1) == Outcome::sent);
}

TEST_CASE("a collector is stalled from giving up until it takes a datagram again") {
  const Listener listener;
  Collector collector(address_of(listener));
  CHECK_FALSE(collector.stalled());
  scripted_sends = {EAGAIN};
  REQUIRE(collector.send(datagram(72), 1) == Outcome::would_block);
  CHECK_FALSE(collector.stalled());
  collector.give_up(1);
  CHECK(collector.stalled());
  scripted_sends = {EAGAIN};
  REQUIRE(collector.send(datagram(72), 1) == Outcome::would_block);
  CHECK(collector.stalled());
  Collector moved(std::move(collector));
  CHECK(moved.stalled());
  REQUIRE(moved.send(datagram(72), 1) == Outcome::sent);
  CHECK_FALSE(moved.stalled());
}

TEST_CASE("a name that does not resolve is a failure that says so") {
  const Failure failure = failure_to_make({"collector.invalid", "2055"});
  CHECK(failure.code == ExitCode::failed);
  CAPTURE(failure.what());
  CHECK(contains(failure.what(), "--collector collector.invalid:2055"));
  CHECK(contains(failure.what(), "does not resolve"));
}

TEST_CASE("an address that the kernel lets nobody connect to is a failure that says so") {
  const Failure failure = failure_to_make({"255.255.255.255", "2055"});
  CHECK(failure.code == ExitCode::failed);
  CAPTURE(failure.what());
  CHECK(contains(failure.what(), "--collector 255.255.255.255:2055"));
  CHECK(contains(failure.what(), std::strerror(EACCES)));
}

TEST_CASE("a collector that moves keeps its socket, its name and its counters") {
  const Listener listener;
  std::vector<Collector> collectors;
  collectors.emplace_back(address_of(listener));
  REQUIRE(collectors.front().send(datagram(72, 1), 4) == Outcome::sent);
  CHECK(collectors.front().send(datagram(65508), 2) == Outcome::failed);
  collectors.reserve(collectors.capacity() + 1);
  Collector moved(std::move(collectors.front()));
  collectors.clear();

  CHECK(moved.name() == address_of(listener).name());
  CHECK(moved.last_errno() == EMSGSIZE);
  CHECK(moved.send(datagram(72, 2), 5) == Outcome::sent);
  check_counters(
      moved, {.datagrams_sent = 2, .datagrams_failed = 1, .records_sent = 9, .records_failed = 2});
  CHECK(listener.receive() == datagram(72, 1));
  CHECK(listener.receive() == datagram(72, 2));
}

TEST_CASE("a collector tells which flow its datagrams make, where that is one of IPv4") {
  const Listener listener;
  const std::string port = std::to_string(listener.port());
  for (const std::string host : {"127.0.0.1", "::ffff:127.0.0.1"}) {
    CAPTURE(host);
    const Collector collector({host, port});
    const auto flow = collector.flow();
    REQUIRE(flow.has_value());
    CHECK(flow->src == 0x7f000001);
    CHECK(flow->dst == 0x7f000001);
    CHECK(flow->src_port != 0);
    CHECK(flow->src_port != listener.port());
    CHECK(flow->dst_port == listener.port());
    CHECK(flow->protocol == 17);
  }
}
