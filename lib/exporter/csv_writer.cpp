#include "exporter/csv_writer.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "exporter/address_text.hpp"

namespace pollflow::exporter {
namespace {

constexpr size_t buffer_bytes = size_t{64} * 1024;
constexpr std::string_view heading =
    "src,dst,src_port,dst_port,protocol,tos,tcp_flags,packets,octets,first_ms,last_ms,in_if,out_if,"
    "next_hop,src_mask,dst_mask,src_as,dst_as,end_reason\n";

}  // namespace

CsvWriter::CsvWriter(const std::string& path) : file_(path, "--flows-out") {
  buffer_ = heading;
}

flow::RecordTally CsvWriter::write(const flow::Record& record, const flow::Routing& routing) {
  if (errno_ != 0) {
    failed_.add(record.carried());
    return {1, record.carried()};
  }
  const packet::FlowKey& key = record.key;
  fmt::format_to(
      std::back_inserter(buffer_), "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
      address_text(key.src), address_text(key.dst), key.src_port, key.dst_port, key.protocol,
      key.tos, record.tcp_flags, record.packets, record.octets, record.first_ms, record.last_ms,
      key.in_if, routing.out_if, address_text(routing.next_hop), routing.src_mask, routing.dst_mask,
      routing.src_as, routing.dst_as, flow::end_reason_names[index_of(record.reason)]);
  lines_.push_back({buffer_.size(), record.carried()});
  return buffer_.size() < buffer_bytes ? flow::RecordTally{} : flush();
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
