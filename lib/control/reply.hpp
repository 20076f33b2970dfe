#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

struct rte_tel_data;

namespace pollflow::control {

// A reply to a telemetry command: an object. The library takes names of letters, digits and '_',
// text of 127 characters (what is longer is cut), and 16,384 bytes in all.
class Reply {
 public:
  static constexpr size_t text_max = 127;
  static constexpr size_t bytes_max = 16384;

  explicit Reply(rte_tel_data* data);

  void add(const std::string& name, uint64_t value);
  void add(const std::string& name, std::string_view text);
  void add(const std::string& name, std::span<const uint64_t> values);
  void add(const std::string& name, std::span<const std::string> texts);

 private:
  rte_tel_data* data_;
};

// A reply that is a sentence about what was wrong.
void reply_sentence(rte_tel_data* data, const std::string& sentence);

}  // namespace pollflow::control
