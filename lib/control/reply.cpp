#include "control/reply.hpp"

#include <rte_telemetry.h>
#include <rte_version.h>

#include <algorithm>

namespace pollflow::control {
namespace {

// DPDK 23.03 renamed them, and deprecated the old names.
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
constexpr auto number_type = RTE_TEL_UINT_VAL;
int add_number(rte_tel_data* dict, const char* name, uint64_t value) {
  return rte_tel_data_add_dict_uint(dict, name, value);
}
int append_number(rte_tel_data* array, uint64_t value) {
  return rte_tel_data_add_array_uint(array, value);
}
#else
constexpr auto number_type = RTE_TEL_U64_VAL;
int add_number(rte_tel_data* dict, const char* name, uint64_t value) {
  return rte_tel_data_add_dict_u64(dict, name, value);
}
int append_number(rte_tel_data* array, uint64_t value) {
  return rte_tel_data_add_array_u64(array, value);
}
#endif

std::string cut(std::string_view text) {
  return std::string(text.substr(0, Reply::text_max));
}

}  // namespace

Reply::Reply(rte_tel_data* data) : data_(data) {
  rte_tel_data_start_dict(data);
}

void Reply::add(const std::string& name, uint64_t value) {
  add_number(data_, name.c_str(), value);
}

void Reply::add(const std::string& name, std::string_view text) {
  rte_tel_data_add_dict_string(data_, name.c_str(), cut(text).c_str());
}

void Reply::add(const std::string& name, std::span<const uint64_t> values) {
  rte_tel_data* array = rte_tel_data_alloc();
  if (array == nullptr) return;
  rte_tel_data_start_array(array, number_type);
  for (const uint64_t value : values)
    append_number(array, value);
  rte_tel_data_add_dict_container(data_, name.c_str(), array, 0);
}

void Reply::add(const std::string& name, std::span<const std::string> texts) {
  rte_tel_data* array = rte_tel_data_alloc();
  if (array == nullptr) return;
  rte_tel_data_start_array(array, RTE_TEL_STRING_VAL);
  for (const std::string& text : texts)
    rte_tel_data_add_array_string(array, cut(text).c_str());
  rte_tel_data_add_dict_container(data_, name.c_str(), array, 0);
}

void reply_sentence(rte_tel_data* data, const std::string& sentence) {
  constexpr size_t sentence_max = RTE_TEL_MAX_SINGLE_STRING_LEN - 1;
  rte_tel_data_string(data, sentence.substr(0, sentence_max).c_str());
}

}  // namespace pollflow::control
