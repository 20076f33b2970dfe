#include "exporter/csv_writer.hpp"

#include <fmt/compile.h>

#include <array>
#include <iterator>
#include <string_view>

namespace pollflow::exporter {
namespace {

constexpr size_t buffer_bytes = size_t{64} * 1024;
constexpr std::string_view heading =
    "src,dst,src_port,dst_port,protocol,tos,tcp_flags,packets,octets,first_ms,last_ms,in_if,out_if,"
    "next_hop,src_mask,dst_mask,src_as,dst_as,end_reason\n";

using Bytes = std::array<uint8_t, 4>;

Bytes bytes_of(uint32_t address) {
  return {static_cast<uint8_t>(address >> 24), static_cast<uint8_t>(address >> 16),
          static_cast<uint8_t>(address >> 8), static_cast<uint8_t>(address)};
}

}  // namespace

CsvWriter::CsvWriter(const std::string& path) : file_(path, "--flows-out") {
  buffer_ = heading;
}

flow::RecordTally CsvWriter::write(const flow::Record& record, const flow::Routing& routing) {
  if (errno_ != 0) {
    failed_.add(record.carried());
    return {1, record.carried()};
  }
  append_row(record, routing);
  lines_.push_back({buffer_.size(), record.carried()});
  return buffer_.size() < buffer_bytes ? flow::RecordTally{} : flush();
}

// Compiled formats and addresses byte by byte: this is most of what a record costs.
void CsvWriter::append_row(const flow::Record& record, const flow::Routing& routing) {
  const packet::FlowKey& key = record.key;
  const Bytes src = bytes_of(key.src);
  const Bytes dst = bytes_of(key.dst);
  const Bytes hop = bytes_of(routing.next_hop);
  fmt::format_to(
      std::back_inserter(buffer_),
      FMT_COMPILE("{}.{}.{}.{},{}.{}.{}.{},{},{},{},{},{},{},{},{},{},{},{},{}.{}.{}.{},{},{},{},"
                  "{},{}\n"),
      src[0], src[1], src[2], src[3], dst[0], dst[1], dst[2], dst[3], key.src_port, key.dst_port,
      key.protocol, key.tos, record.tcp_flags, record.packets, record.octets, record.first_ms,
      record.last_ms, key.in_if, routing.out_if, hop[0], hop[1], hop[2], hop[3], routing.src_mask,
      routing.dst_mask, routing.src_as, routing.dst_as,
      flow::end_reason_names[index_of(record.reason)]);
}

flow::RecordTally CsvWriter::flush() {
  if (errno_ != 0) return {};
  const OutputFile::Written out = file_.write(buffer_);
  errno_ = out.error;
  flow::RecordTally lost;
  for (const Line& line : lines_) {
    (line.end <= out.bytes ? written_ : lost).add(line.carried);
  }
  failed_ += lost;
  buffer_.clear();
  lines_.clear();
  return lost;
}

}  // namespace pollflow::exporter
