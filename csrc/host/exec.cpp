#include "host/exec.hpp"

#if !defined(_WIN32)
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "host/block_cache.hpp"
#include "host/lapack_table.hpp"

namespace subspan {
namespace {

/// Workers that sleep until there is work. One loop at a time: a caller that finds the pool taken
/// by another Python thread runs its loop alone, so callers never wait for each other.
class ThreadPool {
  public:
    ~ThreadPool() {
        {
            const std::lock_guard lock(mutex_);
            closing_ = true;
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }

    void run(int threads, index tasks, const void* body, void (*call)(const void*, index)) {
        const std::unique_lock busy(busy_, std::try_to_lock);
        if (!busy.owns_lock() || threads < 2 || tasks < 2) {
            for (index t = 0; t < tasks; ++t) call(body, t);
            return;
        }
        const index helpers = std::min<index>(threads, tasks) - 1;
        while (static_cast<index>(workers_.size()) < helpers)
            workers_.emplace_back([this, id = static_cast<index>(workers_.size())] { work(id); });
        {
            const std::lock_guard lock(mutex_);
            body_ = body, call_ = call, tasks_ = tasks, helpers_ = helpers;
            next_.store(0);
            running_ = helpers;
            ++generation_;
        }
        wake_.notify_all();
        take_tasks(body, call, tasks);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return running_ == 0; });
    }

  private:
    void take_tasks(const void* body, void (*call)(const void*, index), index tasks) {
        for (index t = next_.fetch_add(1); t < tasks; t = next_.fetch_add(1)) call(body, t);
    }

    void work(index id) {
        std::uint64_t seen = 0;
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return closing_ || (generation_ != seen && id < helpers_); });
            if (closing_) return;
            seen = generation_;
            const auto body = body_;
            const auto call = call_;
            const auto tasks = tasks_;
            lock.unlock();
            take_tasks(body, call, tasks);
            lock.lock();
            if (--running_ == 0) done_.notify_one();
        }
    }

    std::mutex busy_, mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> workers_;
    std::atomic<index> next_{0};
    const void* body_ = nullptr;
    void (*call_)(const void*, index) = nullptr;
    index tasks_ = 0, helpers_ = 0, running_ = 0;
    std::uint64_t generation_ = 0;
    bool closing_ = false;
};

#if defined(_WIN32)
int process_id() {
    return 0;  // nothing forks there
}
#else
int process_id() {
    return static_cast<int>(getpid());
}
#endif

/// The pool of this process. A forked child starts a new one (its parent's threads do not exist
/// there) and leaks the old one, whose destructor would wait for them.
ThreadPool& pool() {
    static std::mutex guard;
    static ThreadPool* current = nullptr;
    static int owner = 0;
    const std::lock_guard lock(guard);
    if (current == nullptr || owner != process_id()) {
        current = new ThreadPool;
        owner = process_id();
    }
    return *current;
}

std::atomic<int> thread_limit{0};

}  // namespace

void set_thread_limit(int threads) {
    thread_limit.store(threads);
}

Host::Host(std::function<void()> poll)
    : poll_(std::move(poll)),
      threads_(thread_limit.load() > 0 ? thread_limit.load() : lapack_table().threads()) {}

Host Host::serial() {
    Host alone;
    alone.threads_ = 1;
    return alone;
}

void for_each_problem(Host& ex, index n, const std::function<void(Host&, index)>& body) {
    const index round = 64 * ex.threads();  // between two chances to interrupt
    std::mutex guard;
    std::exception_ptr failure;
    for (index first = 0; first < n && !failure; first += round) {
        ex.for_each_task(std::min(round, n - first), [&](index i) {
            try {
                Host own = Host::serial();
                body(own, first + i);
            } catch (...) {
                const std::lock_guard lock(guard);
                if (!failure) failure = std::current_exception();
            }
        });
        ex.poll();
    }
    if (failure) std::rethrow_exception(failure);
}

void* Host::allocate(std::size_t bytes) {
    return take_block(bytes);
}

void Host::deallocate(void* data, std::size_t bytes) noexcept {
    give_block(data, bytes);
}

void Host::copy_to_device(void* to, const void* from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
}

void Host::copy_to_host(void* to, const void* from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
}

double sum(Host&, const double* x, index n) {
    double total = 0;
    for (index i = 0; i < n; ++i) total += x[i];
    return total;
}

void Host::run_tasks(index tasks, const void* body, void (*call)(const void*, index)) {
    pool().run(threads_, tasks, body, call);
}

}  // namespace subspan
