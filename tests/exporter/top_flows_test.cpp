#include "exporter/top_flows.hpp"

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace pollflow;
using exporter::TopFlows;

namespace {

flow::Record record_of(uint32_t octets, uint32_t number = 0) {
  return {.key = {.src = 0x0a000000 + number,
                  .dst = 0xc0000201,
                  .src_port = 1000,
                  .dst_port = 53,
                  .in_if = 1,
                  .protocol = 17,
                  .tos = 0},
          .packets = 3,
          .octets = octets,
          .first_ms = 1'700'000'000'123,
          .last_ms = 1'700'000'012'456,
          .left_ms = 1'700'000'028'000,
          .tcp_flags = 0,
          .reason = flow::EndReason::idle};
}

std::string text_of(const std::vector<flow::Record>& records) {
  TopFlows top;
  for (const flow::Record& record : records)
    top.add(record);
  return top.text();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;)
    words.push_back(word);
  return words;
}

// The words of the rows between the heading and the sentence.
std::vector<std::vector<std::string>> rows_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  const auto lines = lines_of(text);
  REQUIRE(lines.size() >= 2);
  for (size_t row = 1; row + 1 < lines.size(); ++row)
    rows.push_back(words_of(lines[row]));
  return rows;
}

std::string sentence_of(const std::string& text) {
  return lines_of(text).back();
}

// Of a row: date, time, seconds, protocol, source, ->, destination, packets, octets, reason.
constexpr size_t source_word = 4;
constexpr size_t octets_word = 8;

std::vector<uint64_t> octets_of(const std::string& text) {
  std::vector<uint64_t> octets;
  for (const auto& row : rows_of(text))
    octets.push_back(std::stoull(row.at(octets_word)));
  return octets;
}

std::vector<flow::Record> shuffled(std::vector<flow::Record> records, unsigned seed) {
  std::shuffle(records.begin(), records.end(), std::mt19937(seed));
  return records;
}

}  // namespace

TEST_CASE("a row says when, how long, who, how much and why it ended") {
  flow::Record record = record_of(4711);
  SECTION("UDP") {
    CHECK(rows_of(text_of({record})).front() ==
          std::vector<std::string>{"2023-11-14", "22:13:20.123", "12.333", "UDP", "10.0.0.0:1000",
                                   "->", "192.0.2.1:53", "3", "4711", "idle"});
  }
  SECTION("the largest numbers") {
    record.key = {.src = ~0U,
                  .dst = ~0U,
                  .src_port = 65535,
                  .dst_port = 65535,
                  .in_if = 65535,
                  .protocol = 255,
                  .tos = 255};
    record.packets = record.octets = ~0U;
    record.reason = flow::EndReason::overflow;
    CHECK(rows_of(text_of({record})).front() ==
          std::vector<std::string>{"2023-11-14", "22:13:20.123", "12.333", "255",
                                   "255.255.255.255:65535", "->", "255.255.255.255:65535",
                                   "4294967295", "4294967295", "overflow"});
  }
  SECTION("TCP, before 1970") {
    record.key.protocol = 6;
    record.first_ms = -1;
    record.last_ms = 0;
    const auto row = rows_of(text_of({record})).front();
    CHECK(row.at(0) == "1969-12-31");
    CHECK(row.at(1) == "23:59:59.999");
    CHECK(row.at(2) == "0.001");
    CHECK(row.at(3) == "TCP");
  }
  SECTION("ICMP, at a whole second") {
    record.key.protocol = 1;
    record.first_ms = record.last_ms = -86'400'000;
    const auto row = rows_of(text_of({record})).front();
    CHECK(row.at(0) == "1969-12-31");
    CHECK(row.at(1) == "00:00:00.000");
    CHECK(row.at(2) == "0.000");
    CHECK(row.at(3) == "ICMP");
  }
}

TEST_CASE("the columns stand below their titles, however large the numbers") {
  flow::Record large = record_of(~0U);
  large.key.src = large.key.dst = ~0U;
  large.key.src_port = large.key.dst_port = 65535;
  const auto lines = lines_of(text_of({large, record_of(1)}));
  CHECK(lines.at(1).find("idle") == lines.at(0).find("ended by"));
  CHECK(lines.at(2).find("idle") == lines.at(0).find("ended by"));
}

TEST_CASE("the sentence says how many of how many are shown") {
  std::vector<flow::Record> records;
  CHECK(sentence_of(text_of(records)) == "0 flow records, all shown.");
  CHECK(rows_of(text_of(records)).empty());
  for (uint32_t number = 1; number <= 19; ++number)
    records.push_back(record_of(number, number));
  CHECK(sentence_of(text_of(records)) == "19 flow records, all shown.");
  records.push_back(record_of(20, 20));
  CHECK(sentence_of(text_of(records)) == "20 flow records, all shown.");
  CHECK(rows_of(text_of(records)).size() == 20);
  records.push_back(record_of(21, 21));
  CHECK(sentence_of(text_of(records)) ==
        "The 20 busiest of 21 flow records; --flows-out FILE writes them all.");
  CHECK(rows_of(text_of(records)).size() == 20);
}

TEST_CASE("the busiest by octets are shown, busiest first") {
  std::mt19937 random(11);
  for (const size_t count : std::vector<size_t>{1, 5, 20, 21, 40, 1000}) {
    CAPTURE(count);
    std::vector<flow::Record> records;
    std::vector<uint64_t> octets;
    for (uint32_t number = 0; number < count; ++number) {
      records.push_back(record_of(static_cast<uint32_t>(random()), number));
      records.back().packets = static_cast<uint32_t>(random());
      octets.push_back(records.back().octets);
    }
    std::sort(octets.rbegin(), octets.rend());
    octets.resize(std::min<size_t>(count, 20));
    CHECK(octets_of(text_of(records)) == octets);
  }
}

TEST_CASE("the busiest are found wherever they stand in the stream") {
  std::vector<flow::Record> rising;
  for (uint32_t number = 0; number < 100; ++number)
    rising.push_back(record_of(1000 + number, number));
  const std::vector<flow::Record> falling(rising.rbegin(), rising.rend());
  CHECK(octets_of(text_of(rising)).front() == 1099);
  CHECK(octets_of(text_of(rising)).back() == 1080);
  CHECK(text_of(rising) == text_of(falling));
}

TEST_CASE("the same records give the same table, in whatever order they come") {
  const flow::Record plain = record_of(1000);
  std::vector<flow::Record> ties(7, plain);  // each decided by another part of the record
  ties[0].packets += 1;
  ties[1].first_ms += 1;
  ties[2].key.src += 1;
  ties[3].key.dst += 1;
  ties[4].key.src_port += 1;
  ties[5].key.dst_port += 1;
  ties[6].key.protocol = 6;
  std::vector<flow::Record> records;
  for (const flow::Record& tie : ties) {
    CHECK(text_of({plain, tie}) == text_of({tie, plain}));
    for (uint32_t copy = 0; copy < 10; ++copy) {
      records.push_back(tie);
      records.back().octets += copy;
    }
  }
  const std::string text = text_of(records);
  for (unsigned seed = 0; seed < 50; ++seed)
    REQUIRE(text_of(shuffled(records, seed)) == text);
}

// One connection may close and begin anew within a millisecond.
TEST_CASE("nor does order matter for records that differ in their end only") {
  flow::Record ended = record_of(1000);
  ended.last_ms = ended.first_ms;
  ended.reason = flow::EndReason::end;
  const flow::Record idle = record_of(1000);
  CHECK(text_of({ended, idle}) == text_of({idle, ended}));
}

TEST_CASE("text() may be asked for at any time, again and again") {
  TopFlows top;
  for (uint32_t number = 0; number < 30; ++number) {
    top.add(record_of(100 * number, number));
    CHECK(top.text() == top.text());
  }
  CHECK(rows_of(top.text()).front().at(source_word) == "10.0.0.29:1000");
  CHECK(octets_of(top.text()).back() == 1000);
}
