#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pollflow::ctl {

using Json = nlohmann::ordered_json;

// JSON as text. Bytes that are no UTF-8 (a device's name may hold any) become U+FFFD.
std::string json_text(const Json& json, int indent = -1);

// An answer, an object whose members are looked at before they are used: what answers may be
// another version, or no pollflow. Each reader throws Failure (failed), naming command and member.
class Reply {
 public:
  // `json` must be an object.
  Reply(std::string command, Json json);

  [[nodiscard]] uint64_t number(std::string_view member) const;
  [[nodiscard]] int64_t unix_ms(std::string_view member) const;
  [[nodiscard]] const std::string& text(std::string_view member) const;
  [[nodiscard]] std::vector<uint64_t> numbers(std::string_view member) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view member) const;

  // Several lists that say something about the same things must be of one length.
  void check_lengths(const std::vector<std::string_view>& members) const;
  // What a reader of the members above finds wrong in what they hold.
  [[noreturn]] void refuse(std::string_view member, std::string_view why) const;

  [[nodiscard]] const Json& json() const noexcept { return json_; }

 private:
  [[nodiscard]] const Json& member(std::string_view name) const;

  std::string command_;
  Json json_;
};

}  // namespace pollflow::ctl
