#pragma once

#include <cstdint>
#include <string>

#include "packet/decode.hpp"

namespace pollflow::port {

// A capture file that libpcap can read, looked at before DPDK's pcap driver opens it: the driver
// neither tells its link type nor why it cannot be read.
class CaptureFile {
 public:
  // Throws Failure when there is no such file, it may not be read, is no capture, or has a link
  // type that pollflow does not decode.
  explicit CaptureFile(const std::string& path);
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  ~CaptureFile();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] packet::LinkType link() const noexcept { return link_; }
  [[nodiscard]] uint64_t bytes() const noexcept { return bytes_; }
  // Time stamp of its first packet, Unix ms; 0 when there is none.
  [[nodiscard]] int64_t first_packet_ms() const noexcept { return first_packet_ms_; }
  // What a packet takes in the file beside its own bytes (for pcapng: at least).
  [[nodiscard]] uint32_t record_overhead_bytes() const noexcept { return record_overhead_bytes_; }

  // Why libpcap cannot read on behind the first `packets` packets, in its own words; it reads the
  // file again up to there, as DPDK's driver keeps the words to itself. Empty when it can.
  [[nodiscard]] std::string damage_behind(uint64_t packets) const;

  // EAL's --vdev value for this file. It names the open file rather than the path, in which a comma
  // or an equals sign would mean something to EAL.
  [[nodiscard]] std::string vdev() const;

 private:
  std::string path_;
  int file_;
  packet::LinkType link_{};
  uint64_t bytes_ = 0;
  int64_t first_packet_ms_ = 0;
  uint32_t record_overhead_bytes_ = 0;
};

}  // namespace pollflow::port
