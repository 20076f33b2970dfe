// Rows of datagrams: one call where the kernel takes it, one by one where it does not.

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "exporter/collector.hpp"
#include "support/catch.hpp"
#include "support/scripted_kernel.hpp"
#include "support/udp_listener.hpp"

using namespace pollflow;
using exporter::Collector;
using exporter::DatagramRow;
using test::Bytes;
using test::Listener;
using test::rows_passed_on;
using test::scripted_rows;
using test::scripted_sends;
using test::sends_passed_on;
using Outcome = exporter::Collector::Outcome;

namespace {

constexpr unsigned records_each = 30;
constexpr size_t datagram_bytes = 24 + 48 * records_each;

// `full` datagrams, and one of `last_records` behind them, each filled with its number.
struct Row {
  explicit Row(size_t full, unsigned last_records = 0) : records(full * records_each) {
    for (size_t i = 0; i < full; ++i)
      bytes.insert(bytes.end(), datagram_bytes, static_cast<uint8_t>(i));
    if (last_records > 0) {
      bytes.insert(bytes.end(), 24 + size_t{48} * last_records, static_cast<uint8_t>(full));
      records += last_records;
    }
  }

  [[nodiscard]] DatagramRow behind(size_t datagrams) const {
    return {.bytes = std::span(bytes).subspan(datagrams * datagram_bytes),
            .datagram_bytes = datagram_bytes,
            .datagram_records = records_each,
            .records = records - datagrams * records_each};
  }
  [[nodiscard]] Bytes datagram(size_t number) const {
    const auto rest = behind(number).bytes;
    const auto one = rest.first(std::min(rest.size(), datagram_bytes));
    return {one.begin(), one.end()};
  }

  Bytes bytes;
  uint64_t records;
};

exporter::CollectorAddress address_of(const Listener& listener) {
  return {"127.0.0.1", std::to_string(listener.port())};
}

// Offers the row until it is done with, and says what became of each datagram.
std::vector<Outcome> offer_all(Collector& collector, const Row& row) {
  std::vector<Outcome> outcomes;
  while (outcomes.size() < row.behind(0).count()) {
    const auto attempt = collector.send(row.behind(outcomes.size()));
    REQUIRE(attempt.datagrams > 0);
    REQUIRE(attempt.outcome != Outcome::would_block);
    outcomes.insert(outcomes.end(), attempt.datagrams, attempt.outcome);
  }
  return outcomes;
}

void check_arrived(const Listener& listener, const Row& row) {
  for (size_t i = 0; i < row.behind(0).count(); ++i) {
    CAPTURE(i);
    REQUIRE(listener.receive() == row.datagram(i));
  }
  CHECK(listener.silent());
}

void check_sent(const Collector& collector, const Row& row, size_t times = 1) {
  CHECK(collector.counters().datagrams_sent == times * row.behind(0).count());
  CHECK(collector.counters().records_sent == times * row.records);
  CHECK(collector.counters().datagrams_failed == 0);
  CHECK(collector.counters().records_failed == 0);
}

struct FreshScript {
  FreshScript() {
    scripted_sends.clear();
    scripted_rows.clear();
    sends_passed_on = rows_passed_on = 0;
  }
};

}  // namespace

TEST_CASE("a row goes in one call and arrives as datagrams, in order, the last one shorter") {
  const FreshScript fresh;
  const Listener listener;
  Collector collector(address_of(listener));
  for (const Row& row : {Row(44), Row(43, 29), Row(2), Row(1, 1)}) {
    const auto attempt = collector.send(row.behind(0));
    CHECK(attempt.outcome == Outcome::sent);
    CHECK(attempt.datagrams == row.behind(0).count());
    CHECK(attempt.records == row.records);
    check_arrived(listener, row);
  }
  CHECK(rows_passed_on == 4);
  CHECK(sends_passed_on == 0);
  CHECK(collector.counters().datagrams_sent == 44 + 44 + 2 + 2);
  CHECK(collector.counters().records_sent == 44 * 30 + 43 * 30 + 29 + 60 + 31);
}

TEST_CASE("of a row that a kernel takes a part of, that part is sent and the rest offered again") {
  const Listener listener;
  Collector collector(address_of(listener));
  const Row row(9, 4);
  // Bytes that each call takes; the last two cut a datagram that goes alone, which is lost.
  std::deque<size_t> takes = {4 * datagram_bytes + 7, 2 * datagram_bytes, datagram_bytes - 1,
                              datagram_bytes, 100};
  test::kernel_in_place = [&](int, std::span<const uint8_t> bytes, size_t) {
    const size_t taken = takes.empty() ? bytes.size() : takes.front();
    if (!takes.empty()) takes.pop_front();
    return static_cast<ssize_t>(taken);
  };
  std::vector<Outcome> wanted(10, Outcome::sent);
  wanted[7] = Outcome::failed;
  CHECK(offer_all(collector, row) == wanted);
  test::kernel_in_place = nullptr;
  CHECK(collector.counters().datagrams_sent == 9);
  CHECK(collector.counters().records_sent == 8 * 30 + 4);
  CHECK(collector.counters().records_failed == 30);
}

TEST_CASE("a row of one is a datagram as any other") {
  const FreshScript fresh;
  const Listener listener;
  Collector collector(address_of(listener));
  for (const Row& row : {Row(1), Row(0, 12)}) {
    CHECK(offer_all(collector, row) == std::vector{Outcome::sent});
    check_arrived(listener, row);
  }
  CHECK(collector.counters().records_sent == 42);
  CHECK(rows_passed_on == 0);
}

TEST_CASE("where rows are refused each datagram goes once by itself, now and ever after") {
  for (const int reason : {EINVAL, EIO, EMSGSIZE}) {
    CAPTURE(reason);
    const FreshScript fresh;
    const Listener listener;
    Collector collector(address_of(listener));
    REQUIRE(collector.takes_rows());
    const Row row(20, 3);
    scripted_rows = {reason};
    CHECK(offer_all(collector, row) == std::vector(21, Outcome::sent));
    check_arrived(listener, row);
    check_sent(collector, row);
    CHECK(collector.last_errno() == 0);
    CHECK_FALSE(collector.takes_rows());
    Collector moved(std::move(collector));
    CHECK(offer_all(moved, row) == std::vector(21, Outcome::sent));
    check_arrived(listener, row);
    check_sent(moved, row, 2);
    CHECK(rows_passed_on == 0);
    CHECK(sends_passed_on == 42);
  }
}

TEST_CASE("a row offered when ICMP tells of an earlier datagram goes whole") {
  for (const int answer : {ECONNREFUSED, EHOSTUNREACH, EACCES}) {
    CAPTURE(answer);
    const FreshScript fresh;
    const Listener listener;
    Collector collector(address_of(listener));
    const Row row(5);
    scripted_rows = {answer};
    CHECK(offer_all(collector, row) == std::vector(5, Outcome::sent));
    check_arrived(listener, row);
    check_sent(collector, row);
    CHECK(collector.counters().refused == 1);
    CHECK(sends_passed_on == 0);
    CHECK(rows_passed_on == 1);
  }
}

TEST_CASE("an error that is none of the row's costs no datagram that the kernel would take") {
  const FreshScript fresh;
  const Listener listener;
  Collector collector(address_of(listener));
  const Row row(5);
  scripted_rows = {ENETDOWN};
  CHECK(offer_all(collector, row) == std::vector(5, Outcome::sent));
  check_arrived(listener, row);
  check_sent(collector, row);
  CHECK(collector.takes_rows());
  CHECK(sends_passed_on == 1);
  CHECK(rows_passed_on == 1);
}

TEST_CASE("each datagram of a row that the kernel will never take is counted as failed") {
  const FreshScript fresh;
  const Listener listener;
  Collector collector(address_of(listener));
  const Row row(3, 4);
  scripted_rows = {EPERM, EPERM, EPERM};
  scripted_sends = {EPERM, EPERM, 0, EPERM};
  CHECK(offer_all(collector, row) ==
        std::vector{Outcome::failed, Outcome::failed, Outcome::sent, Outcome::failed});
  CHECK(collector.counters().datagrams_sent == 1);
  CHECK(collector.counters().records_sent == 30);
  CHECK(collector.counters().datagrams_failed == 3);
  CHECK(collector.counters().records_failed == 64);
  CHECK(collector.last_errno() == EPERM);
  CHECK(listener.receive() == row.datagram(2));
  CHECK(listener.silent());
}

TEST_CASE("a row that would block counts nothing, is offered whole again, or given up on") {
  const FreshScript fresh;
  const Listener listener;
  Collector collector(address_of(listener));
  const Row row(4, 2);
  for (const int reason : {EAGAIN, ENOBUFS, EINTR}) {
    scripted_rows = {reason};
    const auto attempt = collector.send(row.behind(0));
    CHECK(attempt.outcome == Outcome::would_block);
    CHECK(attempt.datagrams == 5);
    CHECK(attempt.records == 122);
    CHECK(collector.last_errno() == reason);
  }
  check_sent(collector, row, 0);
  CHECK(listener.silent());
  SECTION("taken later") {
    CHECK(collector.send(row.behind(0)).outcome == Outcome::sent);
    check_arrived(listener, row);
    check_sent(collector, row);
  }
  SECTION("given up") {
    collector.give_up(122, 5);
    CHECK(collector.stalled());
    CHECK(collector.counters().datagrams_failed == 5);
    CHECK(collector.counters().records_failed == 122);
    CHECK(collector.send(row.behind(0)).outcome == Outcome::sent);
    CHECK_FALSE(collector.stalled());
  }
  CHECK(collector.takes_rows());
}

TEST_CASE("a refusal heard by a row is counted with what the call before sent, and the row goes") {
  const FreshScript fresh;
  const uint16_t port = Listener().port();
  Collector collector({"127.0.0.1", std::to_string(port)});
  const Row row(10);
  REQUIRE(collector.send(row.behind(0)).outcome == Outcome::sent);  // to nobody
  const Listener listener(AF_INET, port);
  if (!listener.usable()) return;  // somebody else took the port
  REQUIRE(collector.send(row.behind(0)).outcome == Outcome::sent);
  check_arrived(listener, row);
  check_sent(collector, row, 2);
  CHECK(collector.counters().refused == 1);
  CHECK(collector.counters().records_refused == 300);
}

TEST_CASE("refusals of rows without end do not hold up the caller") {
  const FreshScript fresh;
  const Listener listener;
  Collector collector(address_of(listener));
  scripted_rows = std::deque<int>(1000, ECONNREFUSED);
  const Row row(44);
  offer_all(collector, row);
  CHECK(scripted_rows.size() > 800);
  check_arrived(listener, row);
}

TEST_CASE("a path whose MTU is less than a datagram gets fragments, none twice, none lost") {
  if (geteuid() != 0) {
    WARN("skipped: a network namespace with a small MTU wants root");
    return;
  }
  const FreshScript fresh;
  // The namespace is this thread's and ends with it, and with the sockets made in it.
  std::thread([] {
    if (unshare(CLONE_NEWNET) != 0) {
      WARN("skipped: no network namespace can be had");
      return;
    }
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_mtu = 1000;
    CHECK(ioctl(control, SIOCSIFMTU, &loopback) == 0);
    loopback.ifr_flags = IFF_UP;
    CHECK(ioctl(control, SIOCSIFFLAGS, &loopback) == 0);
    close(control);

    const Listener listener;
    Collector collector(address_of(listener));
    const Row row(30, 5);
    CHECK(collector.takes_rows());
    CHECK(offer_all(collector, row) == std::vector(31, Outcome::sent));
    CHECK_FALSE(collector.takes_rows());
    CHECK(rows_passed_on == 1);
    CHECK(sends_passed_on == 31);
    check_arrived(listener, row);
    check_sent(collector, row);
  }).join();
}
