#pragma once

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <span>

namespace pollflow::pipeline {

// Gives the mbufs of a burst back to their pool. When all are single segments, not shared, from one
// pool, as nearly always, at once: rte_pktmbuf_free_bulk() reads the second cache line of each mbuf
// only to learn that much.
inline void free_frames(std::span<rte_mbuf* const> mbufs) noexcept {
  if (mbufs.empty()) return;
  rte_mempool* pool = mbufs.front()->pool;
  const bool plain = std::ranges::all_of(mbufs, [pool](const rte_mbuf* mbuf) {
    return mbuf->nb_segs == 1 && mbuf->refcnt == 1 && RTE_MBUF_DIRECT(mbuf) && mbuf->pool == pool;
  });
  const auto count = static_cast<unsigned>(mbufs.size());
  if (plain) return rte_mempool_put_bulk(pool, reinterpret_cast<void* const*>(mbufs.data()), count);
  rte_pktmbuf_free_bulk(const_cast<rte_mbuf**>(mbufs.data()), count);
}

}  // namespace pollflow::pipeline
