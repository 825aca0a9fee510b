// The C++ library's containers and algorithms: map, unordered_map, vector, sort, priority_queue.
// bench: class=c++ small=1000
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <queue>
#include <unordered_map>
#include <vector>

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 300000;
    unsigned s = 3;
    auto next = [&s] { return s = s * 1664525u + 1013904223u; };
    std::map<unsigned, long> ordered;
    std::unordered_map<unsigned, long> hashed;
    for (long i = 0; i < n; i++) {
        unsigned k = next() >> 14;
        ordered[k] += i;
        hashed[k] ^= i;
    }
    unsigned sum = 0;
    for (auto &[k, v] : ordered)
        sum = sum * 3 + k + (unsigned)v + (unsigned)hashed.at(k);
    std::vector<std::pair<unsigned, unsigned>> pairs(n);
    for (auto &p : pairs)
        p = {next() >> 20, next()};
    std::sort(pairs.begin(), pairs.end());
    std::stable_sort(pairs.begin(), pairs.end(), [](auto &a, auto &b) { return (a.second & 255) < (b.second & 255); });
    sum = std::accumulate(pairs.begin(), pairs.end(), sum, [](unsigned t, auto &p) { return t * 5 + p.second; });
    // Shortest paths over an implicit graph.
    std::vector<unsigned> distance(1 << 15, ~0u);
    std::priority_queue<std::pair<unsigned, unsigned>, std::vector<std::pair<unsigned, unsigned>>, std::greater<>> queue;
    queue.push({0, 1});
    while (!queue.empty()) {
        auto [d, v] = queue.top();
        queue.pop();
        if (d >= distance[v])
            continue;
        distance[v] = d;
        for (unsigned k = 1; k <= 4; k++)
            queue.push({d + (v * k & 63) + 1, (v * 5 + k * 77) & ((1 << 15) - 1)});
    }
    sum += std::accumulate(distance.begin(), distance.end(), 0u);
    printf("%u %zu\n", sum, ordered.size());
    return 0;
}
