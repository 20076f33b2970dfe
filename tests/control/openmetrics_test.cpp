#include "control/openmetrics.hpp"

#include <cmath>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/statistics_fixture.hpp"

using namespace pollflow;
using control::busy_statistics;
using control::openmetrics;
using control::Statistics;

namespace {

// A page as its samples: name with labels -> value, as text. A sample that comes twice fails.
std::map<std::string, std::string> samples_of(const std::string& page) {
  std::map<std::string, std::string> samples;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) continue;
    const size_t space = line.rfind(' ');
    REQUIRE(space != std::string::npos);
    CAPTURE(line);
    CHECK(samples.emplace(line.substr(0, space), line.substr(space + 1)).second);
  }
  return samples;
}

class Page {
 public:
  explicit Page(const Statistics& statistics) : samples_(samples_of(openmetrics(statistics))) {}

  [[nodiscard]] std::string at(const std::string& sample) const {
    const auto found = samples_.find("pollflow_" + sample);
    return found == samples_.end() ? "no such sample: " + sample : found->second;
  }
  // Over all samples of a name.
  [[nodiscard]] uint64_t sum(const std::string& name) const {
    uint64_t sum = 0;
    for (const auto& [sample, value] : samples_) {
      if (sample.substr(0, sample.find('{')) == "pollflow_" + name) sum += std::stoull(value);
    }
    return sum;
  }

 private:
  std::map<std::string, std::string> samples_;
};

struct Expected {
  std::string sample;
  std::string value;
};

void check_all(const Page& page, const std::vector<Expected>& expected) {
  for (const auto& [sample, value] : expected) {
    CAPTURE(sample);
    CHECK(page.at(sample) == value);
  }
}

}  // namespace

TEST_CASE("ports: each counter, each queue, device and link") {
  check_all(Page(busy_statistics()),
            {{R"(port_offered_packets_total{port="0",driver="net_ice"})", "1032"},
             {R"(port_received_packets_total{port="0",driver="net_ice"})", "1000"},
             {R"(port_missed_packets_total{port="0",driver="net_ice"})", "30"},
             {R"(port_errored_packets_total{port="0",driver="net_ice"})", "2"},
             {R"(port_rx_nombuf_total{port="0",driver="net_ice"})", "7"},
             {R"(port_missed_packets_total{port="1",driver="net_e1000_igb"})", "9"},
             {R"(queue_packets_total{port="0",queue="1",lcore="2"})", "400"},
             {R"(port_info{port="0",driver="net_ice",device="0000:3b:00.0",ifindex="12"})", "1"},
             {R"(port_link{port="0",driver="net_ice",pollflow_port_link="up"})", "1"},
             {R"(port_link{port="0",driver="net_ice",pollflow_port_link="down"})", "0"},
             {R"(port_link{port="1",driver="net_e1000_igb",pollflow_port_link="unknown"})", "1"},
             {R"(port_link{port="1",driver="net_e1000_igb",pollflow_port_link="gone"})", "0"}});
}

TEST_CASE("packets and records: each term of the ledger") {
  check_all(Page(busy_statistics()), {{"received_packets_total", "1500"},
                                      {"received_octets_total", "150000"},
                                      {"accounted_packets_total", "1409"},
                                      {"accounted_octets_total", "125412"},
                                      {"accounted_frame_octets_total", "144540"},
                                      {R"(skipped_packets_total{reason="arp"})", "4"},
                                      {R"(skipped_octets_total{reason="ip_total_length"})", "720"},
                                      {"in_tables_flows", "40"},
                                      {"in_tables_packets", "387"},
                                      {"in_tables_octets", "40000"},
                                      {R"(created_records_total{reason="idle"})", "11"},
                                      {R"(created_packets_total{reason="idle"})", "122"},
                                      {R"(created_octets_total{reason="idle"})", "9000"},
                                      {R"(created_records_total{reason="evicted"})", "1"},
                                      {"in_rings_records", "3"},
                                      {"in_rings_packets", "30"},
                                      {"in_rings_octets", "1412"},
                                      {"in_datagram_records", "4"},
                                      {"sent_records_total", "15"},
                                      {"sent_octets_total", "70000"},
                                      {R"(lost_records_total{reason="ring_full"})", "1"},
                                      {R"(lost_packets_total{reason="send_failed"})", "60"},
                                      {R"(lost_octets_total{reason="write_failed"})", "4000"},
                                      {"flow_sequence", "19"},
                                      {"ledger_broken_equations", "0"}});
}

TEST_CASE("workers, outputs, the run itself") {
  check_all(Page(busy_statistics()),
            {{R"(worker_received_packets_total{lcore="2"})", "1000"},
             {R"(worker_nic_hashed_packets_total{lcore="2"})", "22"},
             {R"(worker_second_look_packets_total{lcore="2"})", "26"},
             {R"(worker_flows{lcore="2"})", "24"},
             {R"(worker_flows_max{lcore="2"})", "100"},
             {R"(worker_flows_high_water{lcore="2"})", "60"},
             {R"(worker_ring_records{lcore="2"})", "2"},
             {R"(worker_ring_records_max{lcore="2"})", "4095"},
             {R"(worker_busy_cycles_total{lcore="2"})", "2000"},
             {R"(worker_cycles_total{lcore="2"})", "10000"},
             {R"(collector_sent_datagrams_total{collector="0",address="192.0.2.1:2055"})", "21"},
             {R"(collector_failed_datagrams_total{collector="1",address="192.0.2.1:2055"})", "22"},
             {R"(collector_sent_records_total{collector="1",address="192.0.2.1:2055"})", "23"},
             {R"(collector_failed_records_total{collector="1",address="192.0.2.1:2055"})", "24"},
             {R"(collector_refused_total{collector="1",address="192.0.2.1:2055"})", "25"},
             {R"(collector_refused_records_total{collector="1",address="192.0.2.1:2055"})", "26"},
             {"csv_written_records_total", "31"},
             {"csv_failed_records_total", "32"},
             {R"(build_info{version="0.1.0"})", "1"},
             {"start_time_seconds", "1790000000.007"},
             {"tsc_hertz", "2400000000"}});
}

TEST_CASE("lateness: buckets that count up, all workers together, in seconds") {
  check_all(Page(busy_statistics()), {{R"(expiry_lateness_seconds_bucket{le="0.01"})", "3"},
                                      {R"(expiry_lateness_seconds_bucket{le="0.05"})", "6"},
                                      {R"(expiry_lateness_seconds_bucket{le="0.1"})", "7"},
                                      {R"(expiry_lateness_seconds_bucket{le="0.25"})", "9"},
                                      {R"(expiry_lateness_seconds_bucket{le="0.5"})", "11"},
                                      {R"(expiry_lateness_seconds_bucket{le="1.0"})", "14"},
                                      {R"(expiry_lateness_seconds_bucket{le="2.0"})", "17"},
                                      {R"(expiry_lateness_seconds_bucket{le="5.0"})", "19"},
                                      {R"(expiry_lateness_seconds_bucket{le="+Inf"})", "22"},
                                      {"expiry_lateness_seconds_sum", "201.315"},
                                      {"expiry_lateness_seconds_count", "22"}});
}

TEST_CASE("each equation of the ledger can be checked on the page") {
  const Page page(busy_statistics());
  const auto sum = [&](const std::string& name) { return page.sum(name); };
  CHECK(sum("port_offered_packets_total") == sum("port_received_packets_total") +
                                                 sum("port_missed_packets_total") +
                                                 sum("port_errored_packets_total"));
  CHECK(sum("queue_packets_total") == sum("port_received_packets_total"));
  CHECK(sum("port_received_packets_total") == sum("received_packets_total"));
  CHECK(sum("received_packets_total") ==
        sum("accounted_packets_total") + sum("skipped_packets_total"));
  CHECK(sum("received_octets_total") ==
        sum("accounted_frame_octets_total") + sum("skipped_octets_total"));
  for (const std::string unit : {"packets", "octets"}) {
    CHECK(sum("accounted_" + unit + "_total") ==
          sum("in_tables_" + unit) + sum("created_" + unit + "_total"));
  }
  for (const std::string unit : {"records", "packets", "octets"}) {
    CHECK(sum("created_" + unit + "_total") ==
          sum("in_rings_" + unit) + sum("in_datagram_" + unit) + sum("sent_" + unit + "_total") +
              sum("lost_" + unit + "_total"));
  }
}

TEST_CASE("an equation that does not hold is counted") {
  Statistics statistics = busy_statistics();
  statistics.ledger.exported.sent.records += 1;
  CHECK(Page(statistics).at("ledger_broken_equations") == "1");
}

TEST_CASE("before anything happened each term of the ledger is there, as 0") {
  const Page page(Statistics{});
  for (const std::string term :
       {"received_packets_total", "accounted_octets_total", "in_tables_flows", "in_rings_records",
        "in_datagram_octets", "sent_records_total", R"(lost_records_total{reason="write_failed"})",
        R"(skipped_packets_total{reason="ipv6"})", R"(created_records_total{reason="end"})",
        R"(expiry_lateness_seconds_bucket{le="+Inf"})"}) {
    CAPTURE(term);
    CHECK(page.at(term) == "0");
  }
  CHECK(page.at("csv_written_records_total").starts_with("no such sample"));
}

TEST_CASE("whole numbers stay whole, however large") {
  Statistics statistics = busy_statistics();
  statistics.ledger.workers.received.octets = UINT64_MAX;
  CHECK(Page(statistics).at("received_octets_total") == "18446744073709551615");
}

TEST_CASE("what would end a label is escaped") {
  Statistics statistics = busy_statistics();
  statistics.ports[0].name = "a\"b\\c\nd";
  CHECK(Page(statistics)
            .at(R"(port_info{port="0",driver="net_ice",device="a\"b\\c\nd",ifindex="12"})") == "1");
}

TEST_CASE("the page ends with its end, and nothing behind it") {
  const std::string page = openmetrics(busy_statistics());
  CHECK(page.ends_with("\n# EOF\n"));
  CHECK(page.find("# EOF") == page.size() - 6);
  CHECK(page.find("\n\n") == std::string::npos);
}
