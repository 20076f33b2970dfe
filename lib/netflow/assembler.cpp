#include "netflow/assembler.hpp"

#include <algorithm>

namespace pollflow::netflow {

void Assembler::add(const flow::Record& record, const flow::Routing& routing) noexcept {
  const packet::FlowKey& key = record.key;
  records()[count_++] = V5Record{.src_addr = Be32{key.src},
                                 .dst_addr = Be32{key.dst},
                                 .next_hop = Be32{routing.next_hop},
                                 .input = Be16{key.in_if},
                                 .output = Be16{routing.out_if},
                                 .packets = Be32{record.packets},
                                 .octets = Be32{record.octets},
                                 .first = Be32{uptime(record.first_ms)},
                                 .last = Be32{uptime(record.last_ms)},
                                 .src_port = Be16{key.src_port},
                                 .dst_port = Be16{key.dst_port},
                                 .pad1 = 0,
                                 .tcp_flags = record.tcp_flags,
                                 .protocol = key.protocol,
                                 .tos = key.tos,
                                 .src_as = Be16{routing.src_as},
                                 .dst_as = Be16{routing.dst_as},
                                 .src_mask = routing.src_mask,
                                 .dst_mask = routing.dst_mask,
                                 .pad2 = {}};
}

void Assembler::stamp(V5Header& header, int64_t now_ms) const noexcept {
  const int64_t wall_ms = now_ms + wall_offset_ms_;
  int64_t secs = wall_ms / 1000;
  int64_t ms = wall_ms % 1000;
  if (ms < 0) {  // before 1970, which a damaged time stamp can be
    ms += 1000;
    --secs;
  }
  header.sys_uptime = Be32{uptime(now_ms)};
  header.unix_secs = Be32{static_cast<uint32_t>(secs)};
  header.unix_nsecs = Be32{static_cast<uint32_t>(ms * 1'000'000)};
}

std::span<const uint8_t> Assembler::seal(int64_t now_ms) noexcept {
  V5Header& header = header_at(end_);
  header = V5Header{.version = Be16{v5_version},
                    .count = Be16{static_cast<uint16_t>(count_)},
                    .sys_uptime = {},
                    .unix_secs = {},
                    .unix_nsecs = {},
                    .flow_sequence = Be32{flow_sequence_},
                    .engine_type = options_.engine_type,
                    .engine_id = options_.engine_id,
                    .sampling = {}};
  stamp(header, now_ms);
  sealed_ms_ = now_ms;
  return {&bytes_[end_], sizeof(V5Header) + count_ * sizeof(V5Record)};
}

void Assembler::keep() noexcept {
  stamps_ms_[kept_++] = sealed_ms_;
  end_ += sizeof(V5Header) + count_ * sizeof(V5Record);
  kept_records_ += count_;
  flow_sequence_ += count_ + skipped_;
  skipped_ = 0;
  count_ = 0;
}

void Assembler::next() noexcept {
  flow_sequence_ += count_ + skipped_;
  skipped_ = 0;
  count_ = 0;
  release();
}

void Assembler::stamp_kept(int64_t now_ms) noexcept {
  for (size_t i = 0; i < kept_; ++i) {
    if (stamps_ms_[i] >= now_ms) continue;
    stamps_ms_[i] = now_ms;
    stamp(header_at(i * datagram_bytes()), now_ms);
  }
}

void Assembler::release() noexcept {
  if (count_ > 0 && end_ > 0) {
    const V5Record* begun = records();
    end_ = 0;
    std::copy_n(begun, count_, records());
  }
  end_ = 0;
  kept_ = 0;
  kept_records_ = 0;
}

}  // namespace pollflow::netflow
