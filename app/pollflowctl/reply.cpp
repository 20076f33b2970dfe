#include "reply.hpp"

#include <fmt/format.h>

#include <utility>

#include "failure.hpp"

namespace pollflow::ctl {

std::string json_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Reply::Reply(std::string command, Json json)
    : command_(std::move(command)), json_(std::move(json)) {}

void Reply::refuse(std::string_view member, std::string_view why) const {
  throw Failure(ExitCode::failed,
                fmt::format("{}: in its answer '{}' {}; is it a pollflow of another version?",
                            command_, member, why));
}

const Json& Reply::member(std::string_view name) const {
  const auto found = json_.find(name);
  if (found == json_.end()) refuse(name, "is missing");
  return *found;
}

uint64_t Reply::number(std::string_view name) const {
  const Json& value = member(name);
  // What was parsed as a signed number is below 0.
  if (!value.is_number_unsigned()) refuse(name, "is no whole number");
  return value.get<uint64_t>();
}

int64_t Reply::unix_ms(std::string_view name) const {
  const uint64_t value = number(name);
  if (value > INT64_MAX / 2) refuse(name, "is no time");
  return static_cast<int64_t>(value);
}

const std::string& Reply::text(std::string_view name) const {
  const Json& value = member(name);
  if (!value.is_string()) refuse(name, "is no text");
  return value.get_ref<const std::string&>();
}

std::vector<uint64_t> Reply::numbers(std::string_view name) const {
  const Json& list = member(name);
  if (!list.is_array()) refuse(name, "is no list");
  std::vector<uint64_t> values;
  for (const Json& value : list) {
    if (!value.is_number_unsigned()) refuse(name, "holds something that is no whole number");
    values.push_back(value.get<uint64_t>());
  }
  return values;
}

std::vector<std::string> Reply::texts(std::string_view name) const {
  const Json& list = member(name);
  if (!list.is_array()) refuse(name, "is no list");
  std::vector<std::string> values;
  for (const Json& value : list) {
    if (!value.is_string()) refuse(name, "holds something that is no text");
    values.push_back(value.get<std::string>());
  }
  return values;
}

void Reply::check_lengths(const std::vector<std::string_view>& members) const {
  for (const std::string_view name : members) {
    if (!member(name).is_array()) refuse(name, "is no list");
    if (member(name).size() != member(members.front()).size())
      refuse(name, fmt::format("is not as long as '{}'", members.front()));
  }
}

}  // namespace pollflow::ctl
