#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace pollflow;
using app::ledger_json;
using app::ledger_text;
using packet::Fate;

namespace {

// ---------------------------------------------------------------------------------------------
// A strict reader of JSON that flattens it: {"a": [{"b": 1}]} is {"a.0.b": "1"}. Empty objects and
// arrays leave "{}" and "[]". Throws std::runtime_error for what is no JSON.

using Flat = std::map<std::string, std::string>;

class JsonReader {
 public:
  static Flat read(std::string_view text) {
    JsonReader reader(text);
    reader.value("");
    reader.blanks();
    if (!reader.rest_.empty()) reader.fail("more behind the end");
    return reader.flat_;
  }

 private:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  [[noreturn]] void fail(const std::string& why) const {
    throw std::runtime_error(why + " at: " + std::string(rest_.substr(0, 40)));
  }
  void blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }
  bool skip(char c) {
    blanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!skip(c)) fail(fmt::format("no '{}'", c));
  }
  char next() {
    if (rest_.empty()) fail("cut");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  void put(const std::string& path, std::string_view value) {
    if (!flat_.emplace(path, value).second) fail(path + " twice");
  }

  void value(const std::string& path) {
    blanks();
    if (rest_.starts_with('{')) return object(path);
    if (rest_.starts_with('[')) return array(path);
    if (rest_.starts_with('"')) return put(path, string());
    const std::string_view word = rest_.substr(0, rest_.find_first_of(",]} \n"));
    rest_.remove_prefix(word.size());
    const bool number = !word.empty() && word.find_first_not_of("0123456789") == word.npos;
    if (!number && word != "true" && word != "false" && word != "null") fail("no value");
    put(path, word);
  }
  void object(const std::string& path) {
    expect('{');
    if (skip('}')) return put(path, "{}");
    do {
      blanks();
      const std::string name = string();
      expect(':');
      value(path.empty() ? name : path + "." + name);
    } while (skip(','));
    expect('}');
  }
  void array(const std::string& path) {
    expect('[');
    if (skip(']')) return put(path, "[]");
    size_t index = 0;
    do {
      value(path + "." + std::to_string(index++));
    } while (skip(','));
    expect(']');
  }
  std::string string() {
    if (next() != '"') fail("no string");
    std::string text;
    for (char c = next(); c != '"'; c = next()) {
      if (static_cast<unsigned char>(c) < 0x20) fail("control character in a string");
      text += c == '\\' ? escaped() : c;
    }
    return text;
  }
  char escaped() {
    const char c = next();
    if (c == '"' || c == '\\' || c == '/') return c;
    constexpr std::string_view letters = "bfnrt";
    if (const size_t at = letters.find(c); at != letters.npos) return "\b\f\n\r\t"[at];
    if (c != 'u') fail("unknown escape");
    std::string digits;
    for (int i = 0; i < 4; ++i)
      digits += next();
    if (digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) fail("no hex digits");
    return static_cast<char>(std::stoul(digits, nullptr, 16));
  }

  std::string_view rest_;
  Flat flat_;
};

// ---------------------------------------------------------------------------------------------
// Ledgers

flow::Tally& frames_of(flow::Ledger& ledger, Fate fate) {
  return ledger.workers.fates.at(index_of(fate));
}

flow::RecordTally& expired_by(flow::Ledger& ledger, flow::EndReason reason) {
  return ledger.workers.expired.at(index_of(reason));
}

// A run on which nothing went wrong: 100 packets of 14 bytes of Ethernet each, in 10 records.
flow::Ledger smooth_run() {
  flow::Ledger ledger;
  ledger.ports = {{.port = 0,
                   .driver = "net_pcap",
                   .received = 100,
                   .missed = 0,
                   .errored = 0,
                   .rx_nombuf = 0}};
  ledger.workers.received = {100, 9400};
  ledger.workers.accounted = {100, 8000};
  frames_of(ledger, Fate::accounted) = {100, 9400};
  expired_by(ledger, flow::EndReason::idle) = {10, {100, 8000}};
  ledger.exported.taken = ledger.exported.sent = {10, {100, 8000}};
  ledger.exported.flow_sequence = 10;
  ledger.flows_high_water = 7;
  return ledger;
}

// A balanced ledger in which no number is zero and no two that could be confused are equal.
flow::Ledger full_ledger() {
  flow::Ledger ledger;
  ledger.ports = {
      {.port = 0,
       .driver = "net_pcap",
       .received = 1000,
       .missed = 11,
       .errored = 12,
       .rx_nombuf = 13},
      {.port = 5,
       .driver = "net_other",
       .received = 500,
       .missed = 21,
       .undelivered = 20,
       .errored = 22,
       .rx_nombuf = 23,
       .queues = {{.queue = 3, .lcore = 4, .packets = 480, .accounted = 470, .nic_hashed = 460},
                  {.queue = 6, .lcore = 7, .packets = 20, .accounted = 19, .nic_hashed = 18}}}};
  flow::WorkerCounters& workers = ledger.workers;
  for (size_t fate = 1; fate < packet::fate_count; ++fate)
    workers.fates.at(fate) = {fate, 1000 * fate};  // 91 packets, 91000 octets
  frames_of(ledger, Fate::accounted) = {1409, 129'200};
  workers.received = {1500, 220'200};
  workers.accounted = {1409, 120'000};
  for (size_t reason = 0; reason < flow::end_reason_count; ++reason)
    workers.expired.at(reason) = {10 + reason, {100 + reason, 10'000 + reason}};
  workers.lost.at(index_of(flow::EndReason::evicted)) = {3, {4, 405}};  // sum 78, 619, 60420
  ledger.in_tables = {9, {790, 59'580}};
  flow::ExportCounters& exported = ledger.exported;  // of 75, 615, 60015 expired
  exported.taken = {73, {609, 59'009}};
  ledger.ring_records = 2;
  exported.in_datagram = {5, {50, 5005}};
  exported.lost_send_failed = {6, {60, 6006}};
  exported.lost_write_failed = {7, {70, 7007}};
  exported.sent = {55, {429, 40'991}};
  exported.flow_sequence = 4711;
  ledger.flows_high_water = 77;
  return ledger;
}

// Outputs with one collector, to which `sent` datagrams of 2 records went and `failed` of 3 did
// not, on a port where nobody listens or somebody might.
pipeline::Outputs outputs_with_collector(unsigned sent, unsigned failed) {
  pipeline::Outputs outputs;
  exporter::Collector& collector =
      outputs.collectors.emplace_back(exporter::CollectorAddress{"127.0.0.1", "9"});
  const std::vector<uint8_t> datagram(72);
  const std::vector<uint8_t> too_big(65508);
  for (unsigned i = 0; i < sent; ++i)
    collector.send(datagram, 2);
  for (unsigned i = 0; i < failed; ++i)
    collector.send(too_big, 3);
  return outputs;
}

flow::Record any_record() {
  return {.key = {},
          .packets = 1,
          .octets = 20,
          .first_ms = 0,
          .last_ms = 0,
          .left_ms = 0,
          .tcp_flags = 0,
          .reason = flow::EndReason::idle};
}

Flat json_of(const flow::Ledger& ledger, const pipeline::Outputs& outputs = {}) {
  return JsonReader::read(ledger_json(ledger, outputs));
}

void check_members(const Flat& flat, const Flat& expected) {
  for (const auto& [path, value] : expected) {
    CAPTURE(path);
    CHECK(flat.count(path) == 1);
    if (flat.count(path) == 1) CHECK(flat.at(path) == value);
  }
}

// Lines of the text that contain `part`.
std::vector<std::string> lines_with(const std::string& text, const std::string& part) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.find(part) != std::string::npos) lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the test's ledgers are balanced") {
  CHECK(smooth_run().broken_equations().empty());
  CHECK(full_ledger().broken_equations() == std::vector<std::string>{});
}

TEST_CASE("JSON: every field of the reference has the ledger's number") {
  const Flat flat = json_of(full_ledger());
  Flat expected = {
      {"balanced", "true"},
      {"ports.0.port", "0"},
      {"ports.0.driver", "net_pcap"},
      {"ports.0.offered", "1023"},
      {"ports.0.received", "1000"},
      {"ports.0.missed", "11"},
      {"ports.0.undelivered", "0"},
      {"ports.0.errored", "12"},
      {"ports.0.rx_nombuf", "13"},
      {"ports.0.queues", "[]"},
      {"ports.1.port", "5"},
      {"ports.1.driver", "net_other"},
      {"ports.1.offered", "543"},
      {"ports.1.received", "500"},
      {"ports.1.missed", "21"},
      {"ports.1.undelivered", "20"},
      {"ports.1.errored", "22"},
      {"ports.1.rx_nombuf", "23"},
      {"ports.1.queues.0.queue", "3"},
      {"ports.1.queues.0.lcore", "4"},
      {"ports.1.queues.0.packets", "480"},
      {"ports.1.queues.0.accounted", "470"},
      {"ports.1.queues.0.nic_hashed", "460"},
      {"ports.1.queues.1.queue", "6"},
      {"ports.1.queues.1.lcore", "7"},
      {"ports.1.queues.1.packets", "20"},
      {"ports.1.queues.1.accounted", "19"},
      {"ports.1.queues.1.nic_hashed", "18"},
      {"received.packets", "1500"},
      {"received.octets", "220200"},
      {"accounted.packets", "1409"},
      {"accounted.octets", "120000"},
      {"accounted.frame_octets", "129200"},
      {"in_tables.flows", "9"},
      {"in_tables.packets", "790"},
      {"in_tables.octets", "59580"},
      {"records.created.records", "78"},
      {"records.created.packets", "619"},
      {"records.created.octets", "60420"},
      {"records.in_rings.records", "2"},
      {"records.in_rings.packets", "6"},
      {"records.in_rings.octets", "1006"},
      {"records.in_datagram.records", "5"},
      {"records.in_datagram.packets", "50"},
      {"records.in_datagram.octets", "5005"},
      {"records.sent.records", "55"},
      {"records.sent.packets", "429"},
      {"records.sent.octets", "40991"},
      {"records.lost.ring_full.records", "3"},
      {"records.lost.ring_full.packets", "4"},
      {"records.lost.ring_full.octets", "405"},
      {"records.lost.send_failed.records", "6"},
      {"records.lost.send_failed.packets", "60"},
      {"records.lost.send_failed.octets", "6006"},
      {"records.lost.write_failed.records", "7"},
      {"records.lost.write_failed.packets", "70"},
      {"records.lost.write_failed.octets", "7007"},
      {"expired.idle", "10"},
      {"expired.active", "11"},
      {"expired.end", "12"},
      {"expired.forced", "13"},
      {"expired.overflow", "14"},
      {"expired.evicted", "18"},  // 15 pushed, 3 lost
      {"datagrams.sent", "0"},
      {"datagrams.failed", "0"},
      {"collectors", "[]"},
      {"flows_out", "null"},
      {"flow_sequence", "4711"},
      {"flows_high_water", "77"},
  };
  const std::vector<std::string> skipped = {"frame_too_short",
                                            "vlan_depth",
                                            "mpls_depth",
                                            "arp",
                                            "ipv6",
                                            "llc",
                                            "pppoe_control",
                                            "mpls_payload",
                                            "other_ethertype",
                                            "ip_version",
                                            "ip_header_length",
                                            "ip_total_length",
                                            "own_export"};
  for (size_t name = 0; name < skipped.size(); ++name) {
    expected["skipped." + skipped[name] + ".packets"] = std::to_string(name + 1);
    expected["skipped." + skipped[name] + ".octets"] = std::to_string(1000 * (name + 1));
  }
  check_members(flat, expected);
  CHECK(flat.size() == expected.size());
}

TEST_CASE("JSON: the largest numbers are not cut") {
  flow::Ledger ledger = full_ledger();
  ledger.workers.received = {~uint64_t{0}, ~uint64_t{0} - 1};
  ledger.exported.flow_sequence = ~uint32_t{0};
  check_members(json_of(ledger), {{"received.packets", "18446744073709551615"},
                                  {"received.octets", "18446744073709551614"},
                                  {"flow_sequence", "4294967295"}});
}

TEST_CASE("JSON: it is one object and a newline") {
  const std::string json = ledger_json(full_ledger(), {});
  CHECK(json.front() == '{');
  CHECK(json.substr(json.size() - 2) == "}\n");
}

TEST_CASE("JSON: collectors, and datagrams summed over them") {
  pipeline::Outputs outputs = outputs_with_collector(4, 2);
  outputs.collectors.push_back(std::move(outputs_with_collector(1, 3).collectors.front()));
  const auto refused = [&](size_t i) {
    return std::to_string(outputs.collectors[i].counters().refused);
  };
  check_members(json_of(smooth_run(), outputs), {{"datagrams.sent", "5"},
                                                 {"datagrams.failed", "5"},
                                                 {"collectors.0.name", "127.0.0.1:9"},
                                                 {"collectors.0.datagrams_sent", "4"},
                                                 {"collectors.0.datagrams_failed", "2"},
                                                 {"collectors.0.records_sent", "8"},
                                                 {"collectors.0.records_failed", "6"},
                                                 {"collectors.0.refused", refused(0)},
                                                 {"collectors.1.datagrams_sent", "1"},
                                                 {"collectors.1.datagrams_failed", "3"},
                                                 {"collectors.1.refused", refused(1)}});
}

TEST_CASE("JSON: what the file of records took and did not") {
  pipeline::Outputs outputs;
  outputs.csv.emplace("/dev/null");
  for (int i = 0; i < 3; ++i)
    outputs.csv->write(any_record(), {});
  outputs.csv->flush();
  check_members(json_of(smooth_run(), outputs),
                {{"flows_out.records_written", "3"}, {"flows_out.records_failed", "0"}});

  outputs.csv.reset();
  outputs.csv.emplace("/dev/full");
  for (int i = 0; i < 2; ++i)
    outputs.csv->write(any_record(), {});
  outputs.csv->flush();
  check_members(json_of(smooth_run(), outputs),
                {{"flows_out.records_written", "0"}, {"flows_out.records_failed", "2"}});
}

TEST_CASE("JSON: names come back whatever is in them") {
  flow::Ledger ledger = smooth_run();
  std::string odd = "a\"b\\c\\\"d/";
  for (char c = 1; c < 0x20; ++c)
    odd += c;
  odd += '\x7f';
  odd += '\0';
  ledger.ports.front().driver = odd;
  CHECK(json_of(ledger).at("ports.0.driver") == odd);
}

TEST_CASE("JSON: a broken equation is no longer balanced") {
  flow::Ledger ledger = smooth_run();
  CHECK(json_of(ledger).at("balanced") == "true");
  ledger.exported.sent.carried.octets -= 1;
  CHECK(json_of(ledger).at("balanced") == "false");
}

TEST_CASE("text: a smooth run has its figures and no word of trouble") {
  const std::string text = ledger_text(smooth_run(), {});
  CAPTURE(text);
  CHECK(lines_with(text, "  received ").size() == 1);
  CHECK(mentions(text, "9400"));
  CHECK(mentions(text, "8000"));
  CHECK(lines_with(text, "ended by: idle").size() == 1);
  CHECK(mentions(text, "The ledger adds up"));
  for (const std::string trouble :
       {"skipped", "missed", "lost", "fail", "refused", "nobody listens", "not add up", "could not",
        "active", "forced", "overflow", "evicted", "Outputs"}) {
    CAPTURE(trouble);
    CHECK_FALSE(mentions(text, trouble));
  }
}

TEST_CASE("text: trouble is shown when there is any, with its numbers") {
  const std::string text = ledger_text(full_ledger(), {});
  CAPTURE(text);
  const auto check_line = [&](const std::string& what, const std::vector<std::string>& numbers) {
    const auto lines = lines_with(text, what);
    CAPTURE(what);
    REQUIRE(lines.size() == 1);
    for (const std::string& number : numbers) {
      CAPTURE(number);
      CHECK(mentions(lines.front() + " ", " " + number + " "));
    }
  };
  check_line("port 0:", {"1023", "11", "12"});
  check_line("port 5:", {"543", "21", "22"});
  for (size_t fate = 1; fate < packet::fate_count; ++fate) {
    check_line("skipped: " + std::string(packet::fate_names.at(fate)) + " ",
               {std::to_string(fate), std::to_string(1000 * fate)});
  }
  check_line("accounted to a flow", {"1409", "129200"});
  check_line("created", {"78", "619", "60420"});
  check_line("idle", {"10", "100", "10000"});
  check_line("evicted", {"18", "109", "10410"});
  check_line("sent", {"55", "429", "40991"});
  check_line("ring full", {"3", "4", "405"});
  check_line("sending failed", {"6", "60", "6006"});
  check_line("writing failed", {"7", "70", "7007"});
  check_line("still in the tables", {"9", "790", "59580"});
}

TEST_CASE("text: one packet of trouble is enough, and one port's is not another's") {
  flow::Ledger ledger = full_ledger();
  flow::PortCounters& port = ledger.ports.front();
  port.missed = port.errored = 0;
  SECTION("none") {
    CHECK_FALSE(mentions(ledger_text(ledger, {}), "port 0:"));
  }
  SECTION("one missed") {
    port.missed = 1;
    CHECK(mentions(ledger_text(ledger, {}), "port 0: 1001 offered, 1 missed"));
  }
  SECTION("one errored") {
    port.errored = 1;
    CHECK(mentions(ledger_text(ledger, {}), "port 0: 1001 offered, 0 missed, 1 errored"));
  }
  CHECK(mentions(ledger_text(ledger, {}), "port 5:"));
}

TEST_CASE("text: outputs, with what failed") {
  pipeline::Outputs outputs = outputs_with_collector(4, 2);
  outputs.csv.emplace("/dev/full");
  outputs.csv->write(any_record(), {});
  outputs.csv->flush();
  const std::string text = ledger_text(smooth_run(), outputs);
  CAPTURE(text);
  REQUIRE(lines_with(text, "127.0.0.1:9").size() == 1);
  CHECK(mentions(lines_with(text, "127.0.0.1:9").front(), "4 datagrams sent, 2 failed"));
  CHECK(mentions(text, "ICMP told") == (outputs.collectors[0].counters().refused > 0));
  REQUIRE(lines_with(text, "/dev/full").size() == 1);
  CHECK(mentions(lines_with(text, "/dev/full").front(), "0 records written, 1 failed"));
}

TEST_CASE("text: each broken equation is said, with both numbers") {
  flow::Ledger ledger = smooth_run();
  ledger.workers.accounted.octets = 8123;
  ledger.ports.front().received = 99;
  const auto broken = ledger.broken_equations();
  REQUIRE(broken.size() == 2);
  const std::string text = ledger_text(ledger, {});
  CAPTURE(text);
  CHECK_FALSE(mentions(text, "adds up:"));
  CHECK(lines_with(text, "does not add up").size() == 2);
  for (const std::string& equation : broken)
    CHECK(mentions(text, equation));
  for (const std::string number : {"8123", "8000", "100", "99"})
    CHECK(mentions(text, number));
  CHECK(text.back() == '\n');
}
