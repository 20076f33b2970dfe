#include "flow_printer.hpp"

#include <fmt/format.h>

#include "exporter/flow_text.hpp"

namespace pollflow::ctl {
namespace {

using exporter::address_text;
using exporter::endpoint_text;
using exporter::protocol_text;

// docs/reference/csv.md, and what only a live flow has.
constexpr std::string_view csv_heading =
    "src,dst,src_port,dst_port,protocol,tos,tcp_flags,packets,octets,first_ms,last_ms,in_if,out_if,"
    "next_hop,src_mask,dst_mask,src_as,dst_as,end_reason,age_ms,idle_ms\n";

double seconds(int64_t ms) {
  return static_cast<double>(ms) / 1000;
}

std::string csv_line(const Flow& f) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},,{},{}\n",
                     address_text(f.src), address_text(f.dst), f.src_port, f.dst_port, f.protocol,
                     f.tos, f.tcp_flags, f.packets, f.octets, f.first_ms, f.last_ms, f.in_if,
                     f.out_if, address_text(f.next_hop), f.src_mask, f.dst_mask, f.src_as, f.dst_as,
                     f.age_ms(), f.idle_ms());
}

std::string json_object(const Flow& f) {
  return fmt::format(
      R"({{"src": "{}", "dst": "{}", "src_port": {}, "dst_port": {}, "protocol": {}, "tos": {}, )"
      R"("tcp_flags": {}, "packets": {}, "octets": {}, "first_ms": {}, "last_ms": {}, )"
      R"("in_if": {}, "out_if": {}, "next_hop": "{}", "src_mask": {}, "dst_mask": {}, )"
      R"("src_as": {}, "dst_as": {}, "age_ms": {}, "idle_ms": {}}})",
      address_text(f.src), address_text(f.dst), f.src_port, f.dst_port, f.protocol, f.tos,
      f.tcp_flags, f.packets, f.octets, f.first_ms, f.last_ms, f.in_if, f.out_if,
      address_text(f.next_hop), f.src_mask, f.dst_mask, f.src_as, f.dst_as, f.age_ms(),
      f.idle_ms());
}

}  // namespace

// The first 76 characters say what matters, as narrow terminals cut the rest.
std::string flow_heading() {
  return fmt::format("{:<5} {:>21}    {:<21} {:>10} {:>12}  {:>10} {:>9}  {:>5} {:>5}\n", "proto",
                     "source", "destination", "packets", "octets", "age s", "idle s", "in", "out");
}

std::string flow_text(const Flow& f) {
  return fmt::format("{:<5} {:>21} -> {:<21} {:>10} {:>12}  {:>10.3f} {:>9.3f}  {:>5} {:>5}\n",
                     protocol_text(f.protocol), endpoint_text(f.src, f.src_port),
                     endpoint_text(f.dst, f.dst_port), f.packets, f.octets, seconds(f.age_ms()),
                     seconds(f.idle_ms()), f.in_if, f.out_if);
}

void FlowPrinter::begin(int64_t now_ms) {
  switch (format_) {
    case Format::text:
      return output_.write(flow_heading());
    case Format::csv:
      return output_.write(csv_heading);
    case Format::json:
      return output_.print(R"({{"now_ms": {}, "flows": [)", now_ms);
  }
}

void FlowPrinter::print(const Flow& flow) {
  switch (format_) {
    case Format::text:
      output_.write(flow_text(flow));
      break;
    case Format::csv:
      output_.write(csv_line(flow));
      break;
    case Format::json:
      output_.print("{}{}", printed_ == 0 ? "\n" : ",\n", json_object(flow));
  }
  ++printed_;
}

void FlowPrinter::end() {
  if (format_ == Format::json) output_.write(printed_ == 0 ? "]}\n" : "\n]}\n");
}

}  // namespace pollflow::ctl
