#include "exporter/csv_writer.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using exporter::CsvWriter;
using flow::RecordTally;

namespace {

const std::string heading =
    "src,dst,src_port,dst_port,protocol,tos,tcp_flags,packets,octets,first_ms,last_ms,in_if,out_if,"
    "next_hop,src_mask,dst_mask,src_as,dst_as,end_reason\n";

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "csv-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

flow::Record record_number(uint32_t number) {
  return {.key = {.src = 0x0a000000 + number,
                  .dst = 0xc0000201,
                  .src_port = 1000,
                  .dst_port = 53,
                  .in_if = 1,
                  .protocol = 17,
                  .tos = 0},
          .packets = number + 1,
          .octets = 100 * number,
          .first_ms = 1'700'000'000'000,
          .last_ms = 1'700'000'000'999,
          .left_ms = 1'700'000'016'000,
          .tcp_flags = 0,
          .reason = flow::EndReason::idle};
}

// The rest of a file that has one record and its heading.
std::string row_of(const flow::Record& record, const flow::Routing& routing = {}) {
  const Folder folder;
  const std::string path = folder.file("flows.csv");
  CsvWriter writer(path);
  writer.write(record, routing);
  writer.flush();
  const std::string all = contents(path);
  REQUIRE(all.substr(0, heading.size()) == heading);
  return all.substr(heading.size());
}

// Writes `count` records; answers what was reported lost on the way, the last flush included.
RecordTally write_records(CsvWriter& writer, uint32_t count, RecordTally& offered) {
  RecordTally lost;
  for (uint32_t number = 0; number < count; ++number) {
    const flow::Record record = record_number(number);
    offered.add(record.carried());
    lost += writer.write(record, {});
  }
  return lost += writer.flush();
}

Failure failure_to_create(const std::string& path) {
  try {
    const CsvWriter writer(path);
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("created where nothing can be: " + path);
}

// While it lives files of this process grow no further than this.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

// While it lives standard output is this file.
class StdoutTo {
 public:
  explicit StdoutTo(const std::string& path) : kept_(dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    dup2(file, STDOUT_FILENO);
    close(file);
  }
  StdoutTo(const StdoutTo&) = delete;
  StdoutTo& operator=(const StdoutTo&) = delete;
  ~StdoutTo() {
    dup2(kept_, STDOUT_FILENO);
    close(kept_);
  }

 private:
  int kept_;
};

}  // namespace

TEST_CASE("a file without records has its heading") {
  const Folder folder;
  CsvWriter writer(folder.file("flows.csv"));
  CHECK(writer.path() == folder.file("flows.csv"));
  CHECK(writer.flush() == RecordTally{});
  CHECK(contents(writer.path()) == heading);
  CHECK(writer.written() == RecordTally{});
  CHECK(writer.failed() == RecordTally{});
}

TEST_CASE("a record is this row") {
  flow::Record record = {.key = {.src = 0xc0000211,
                                 .dst = 0xc6336422,
                                 .src_port = 443,
                                 .dst_port = 51000,
                                 .in_if = 12,
                                 .protocol = 6,
                                 .tos = 184},
                         .packets = 17,
                         .octets = 4711,
                         .first_ms = 1'700'000'000'123,
                         .last_ms = 1'700'000'042'456,
                         .left_ms = 1'700'000'057'457,
                         .tcp_flags = 27,
                         .reason = flow::EndReason::end};
  SECTION("an ordinary one") {
    CHECK(row_of(record) ==
          "192.0.2.17,198.51.100.34,443,51000,6,184,27,17,4711,1700000000123,1700000042456,12,0,"
          "0.0.0.0,0,0,0,0,end\n");
  }
  SECTION("one with a route") {
    const flow::Routing routing = {.next_hop = 0xcb007109,
                                   .out_if = 65535,
                                   .src_mask = 24,
                                   .dst_mask = 32,
                                   .src_as = 65001,
                                   .dst_as = 23456};
    CHECK(
        row_of(record, routing) ==
        "192.0.2.17,198.51.100.34,443,51000,6,184,27,17,4711,1700000000123,1700000042456,12,65535,"
        "203.0.113.9,24,32,65001,23456,end\n");
  }
  SECTION("one of extremes") {
    record.key = {.src = ~0U,
                  .dst = 0,
                  .src_port = 65535,
                  .dst_port = 0,
                  .in_if = 65535,
                  .protocol = 255,
                  .tos = 255};
    record.packets = record.octets = ~0U;
    record.first_ms = -1;
    record.last_ms = 0;
    record.tcp_flags = 255;
    CHECK(row_of(record) ==
          "255.255.255.255,0.0.0.0,65535,0,255,255,255,4294967295,4294967295,-1,0,65535,0,0.0.0.0,"
          "0,0,0,0,end\n");
  }
  SECTION("each reason by its name") {
    using flow::EndReason;
    const std::pair<EndReason, const char*> names[] = {
        {EndReason::idle, ",idle\n"},         {EndReason::active, ",active\n"},
        {EndReason::end, ",end\n"},           {EndReason::forced, ",forced\n"},
        {EndReason::overflow, ",overflow\n"}, {EndReason::evicted, ",evicted\n"}};
    for (const auto& [reason, name] : names) {
      record.reason = reason;
      const std::string row = row_of(record);
      CHECK(row.substr(row.rfind(',')) == name);
    }
  }
}

TEST_CASE("many records all arrive, in order, and are counted when they are written") {
  const Folder folder;
  CsvWriter writer(folder.file("flows.csv"));
  RecordTally offered;
  CHECK(write_records(writer, 20'000, offered) == RecordTally{});
  CHECK(writer.written() == offered);
  CHECK(writer.failed() == RecordTally{});
  CHECK(writer.last_errno() == 0);

  std::ifstream file(writer.path());
  std::string line;
  std::getline(file, line);
  for (uint32_t number = 0; number < 20'000; ++number) {
    REQUIRE(std::getline(file, line));
    REQUIRE(line.find(",17,0,0," + std::to_string(number + 1) + ',') != std::string::npos);
  }
  CHECK_FALSE(std::getline(file, line));
}

TEST_CASE("flush() leaves nothing waiting, and is no end") {
  const Folder folder;
  CsvWriter writer(folder.file("flows.csv"));
  size_t size = heading.size();
  for (uint32_t number = 0; number < 3; ++number) {
    writer.write(record_number(number), {});
    CHECK(writer.flush() == RecordTally{});
    CHECK(writer.written().records == number + 1);
    const std::string all = contents(writer.path());
    CHECK(all.size() > size);
    CHECK(all.back() == '\n');
    size = all.size();
  }
  CHECK(writer.flush() == RecordTally{});
  CHECK(contents(writer.path()).size() == size);
}

TEST_CASE("on a full device each record offered is reported lost once") {
  CsvWriter writer("/dev/full");
  RecordTally offered;

  SECTION("few: by flush()") {
    CHECK(writer.write(record_number(0), {}) == RecordTally{});
    CHECK(writer.write(record_number(1), {}) == RecordTally{});
    CHECK(writer.flush() == RecordTally{2, {3, 100}});
    CHECK(writer.failed() == RecordTally{2, {3, 100}});
  }
  SECTION("many: by the write() that met it, and each one behind") {
    CHECK(write_records(writer, 5000, offered) == offered);
    CHECK(writer.failed() == offered);
  }
  CHECK(writer.written() == RecordTally{});
  CHECK(writer.last_errno() == ENOSPC);

  const RecordTally before = writer.failed();
  CHECK(writer.write(record_number(6), {}) == RecordTally{1, {7, 600}});
  CHECK(writer.flush() == RecordTally{});
  CHECK(writer.failed() == before + RecordTally{1, {7, 600}});
}

TEST_CASE("a file that grows full keeps what was written; the rest is reported lost") {
  const Folder folder;
  CsvWriter writer(folder.file("flows.csv"));
  RecordTally offered;
  RecordTally lost;
  {
    const FileSizeLimit limit(200'000);
    lost = write_records(writer, 20'000, offered);
  }
  CHECK(lost.records > 0);
  CHECK(lost == writer.failed());
  CHECK(writer.written().records > 0);
  CHECK(writer.written() + writer.failed() == offered);
  CHECK(writer.last_errno() == EFBIG);

  // Exactly the records said to be written are there, whole.
  std::ifstream file(writer.path());
  std::string line;
  uint64_t lines = 0;
  while (std::getline(file, line) && !file.eof())
    ++lines;
  CHECK(lines == 1 + writer.written().records);
}

TEST_CASE("an old file of that name is emptied") {
  const Folder folder;
  const std::string path = folder.file("flows.csv");
  std::ofstream(path) << std::string(100'000, 'x');
  CsvWriter writer(path);
  writer.flush();
  CHECK(contents(path) == heading);
}

TEST_CASE("a file that cannot be created is a failure that names it") {
  const Folder folder;
  const auto check = [](const std::string& path, ExitCode code, int reason) {
    const Failure failure = failure_to_create(path);
    CAPTURE(failure.what());
    CHECK(failure.code == code);
    CHECK(std::strstr(failure.what(), ("--flows-out " + path).c_str()) != nullptr);
    CHECK(std::strstr(failure.what(), std::strerror(reason)) != nullptr);
  };
  SECTION("in a folder that is not there") {
    check(folder.file("none/flows.csv"), ExitCode::cannot_create, ENOENT);
  }
  SECTION("where a folder is") {
    check(folder.file("."), ExitCode::cannot_create, EISDIR);
  }
  SECTION("in a folder that others may not write to") {
    const uid_t me = geteuid();
    REQUIRE(chmod(folder.file(".").c_str(), 0500) == 0);
    if (me != 0 || seteuid(65534) == 0) {
      check(folder.file("flows.csv"), ExitCode::no_permission, EACCES);
      REQUIRE(seteuid(me) == 0);
    }
  }
}

TEST_CASE("- is standard output, which stays open") {
  const Folder folder;
  const std::string path = folder.file("stdout.txt");
  RecordTally lost;
  {
    const StdoutTo file(path);
    {
      CsvWriter writer("-");
      writer.write(record_number(0), {});
      lost = writer.flush();
    }
    std::printf("still open\n");
    std::fflush(stdout);
  }
  CHECK(lost == RecordTally{});
  const std::string all = contents(path);
  CHECK(all.substr(0, heading.size()) == heading);
  CHECK(all.substr(all.find('\n', heading.size()) + 1) == "still open\n");
}

TEST_CASE("a writer that moves keeps its file, its buffer and its counters") {
  const Folder folder;
  RecordTally offered;
  std::optional<CsvWriter> old(folder.file("flows.csv"));
  write_records(*old, 2, offered);
  const flow::Record waiting = record_number(2);
  offered.add(waiting.carried());
  old->write(waiting, {});
  CsvWriter writer(std::move(*old));
  old.reset();
  CHECK(write_records(writer, 1, offered) == RecordTally{});
  CHECK(writer.path() == folder.file("flows.csv"));
  CHECK(writer.written() == offered);
  const std::string all = contents(folder.file("flows.csv"));
  CHECK(std::count(all.begin(), all.end(), '\n') == 1 + 4);
}
