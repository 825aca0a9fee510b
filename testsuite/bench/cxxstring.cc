// std::string: concatenation, substrings, splitting, joining, and words counted in an unordered_map of strings.
// bench: class=c++ small=2
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_map>
#include <vector>

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 60;
    unsigned s = 21;
    unsigned sum = 0;
    std::unordered_map<std::string, int> counts;
    for (long r = 0; r < rounds; r++) {
        std::string text;
        for (int i = 0; i < 12000; i++) {
            s = s * 1664525u + 1013904223u;
            std::string word(1 + (s >> 30), static_cast<char>('a' + (s >> 20) % 26));
            word += std::to_string(s >> 22 & 63);
            if (s >> 29 == 0)
                word += "-a-long-tail-that-does-not-fit-inline";
            text += word + ' ';
        }
        std::vector<std::string> words;
        for (size_t from = 0, to; (to = text.find(' ', from)) != std::string::npos; from = to + 1)
            words.push_back(text.substr(from, to - from));
        std::sort(words.begin(), words.end());
        words.erase(std::unique(words.begin(), words.end()), words.end());
        for (auto &w : words) {
            counts[w]++;
            sum = sum * 31 + w.size() + static_cast<unsigned char>(w.back());
        }
        std::string joined;
        for (auto it = words.rbegin(); it != words.rend(); ++it)
            joined.append(*it, 0, 3);
        sum += joined.size() + joined.find("zz");
    }
    printf("%u %zu\n", sum, counts.size());
    return 0;
}
