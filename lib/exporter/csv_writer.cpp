#include "exporter/csv_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "exporter/address_text.hpp"
#include "failure.hpp"

namespace pollflow::exporter {
namespace {

constexpr size_t buffer_bytes = 64 * 1024;
constexpr std::string_view heading =
    "src,dst,src_port,dst_port,protocol,tos,tcp_flags,packets,octets,first_ms,last_ms,in_if,out_if,"
    "next_hop,src_mask,dst_mask,src_as,dst_as,end_reason\n";

int create(const std::string& path) {
  if (path == "-") return STDOUT_FILENO;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    const auto code =
        errno == EACCES || errno == EPERM ? ExitCode::no_permission : ExitCode::cannot_create;
    throw Failure(code,
                  fmt::format("--flows-out {}: cannot create it ({}); give a file in a folder that "
                              "exists and that you may write to",
                              path, std::strerror(errno)));
  }
  return file;
}

}  // namespace

CsvWriter::CsvWriter(const std::string& path) : path_(path), file_(create(path)) {
  buffer_.append(heading);
}

CsvWriter::CsvWriter(CsvWriter&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      errno_(other.errno_),
      buffer_(std::move(other.buffer_)),
      buffered_(other.buffered_),
      written_(other.written_),
      failed_(other.failed_) {}

CsvWriter::~CsvWriter() {
  if (file_ > STDERR_FILENO) close(file_);
}

flow::RecordTally CsvWriter::write(const flow::Record& record) {
  if (errno_ != 0) {
    failed_.add(record.carried());
    return {1, record.carried()};
  }
  const packet::FlowKey& key = record.key;
  fmt::format_to(
      std::back_inserter(buffer_), "{},{},{},{},{},{},{},{},{},{},{},{},0,0.0.0.0,0,0,0,0,{}\n",
      address_text(key.src), address_text(key.dst), key.src_port, key.dst_port, key.protocol,
      key.tos, record.tcp_flags, record.packets, record.octets, record.first_ms, record.last_ms,
      key.in_if, flow::end_reason_names[index_of(record.reason)]);
  buffered_.add(record.carried());
  return buffer_.size() < buffer_bytes ? flow::RecordTally{} : flush();
}

flow::RecordTally CsvWriter::flush() {
  if (errno_ != 0) return {};
  const flow::RecordTally waiting = std::exchange(buffered_, {});
  if (write_out()) {
    written_ += waiting;
    return {};
  }
  failed_ += waiting;
  return waiting;
}

bool CsvWriter::write_out() noexcept {
  std::string_view rest{buffer_.data(), buffer_.size()};
  while (!rest.empty()) {
    const ssize_t taken = ::write(file_, rest.data(), rest.size());
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0) {
      errno_ = errno;
      return false;
    }
    rest.remove_prefix(static_cast<size_t>(taken));
  }
  buffer_.clear();
  return true;
}

}  // namespace pollflow::exporter
