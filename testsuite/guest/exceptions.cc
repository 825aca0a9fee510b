// C++: exceptions through many frames, virtual calls, containers, streams.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Shape { virtual ~Shape() = default; virtual double area() const = 0; };
struct Square : Shape { double s; explicit Square(double s) : s(s) {} double area() const override { return s * s; } };
struct Circle : Shape { double r; explicit Circle(double r) : r(r) {} double area() const override { return 3 * r * r; } };

static int unwound;
struct Guard { ~Guard() { unwound++; } };

static int dive(int n)
{
    Guard g;
    if (n == 0)
        throw std::runtime_error("deep");
    return dive(n - 1) + 1;
}

int main()
{
    int caught = 0;
    for (int i = 0; i < 300; i++)
        try {
            dive(i % 40);
        } catch (const std::exception &e) {
            caught += std::string(e.what()).size();
        }
    std::cout << caught << ' ' << unwound << '\n';
    std::vector<std::unique_ptr<Shape>> shapes;
    for (int i = 0; i < 1000; i++)
        if (i % 3)
            shapes.push_back(std::make_unique<Square>(i));
        else
            shapes.push_back(std::make_unique<Circle>(i));
    double total = 0;
    for (auto &s : shapes)
        total += s->area();
    std::map<std::string, int> words;
    std::istringstream text("the quick brown fox jumps over the lazy dog the end");
    for (std::string w; text >> w;)
        words[w]++;
    for (auto &[w, n] : words)
        std::cout << w << ' ' << n << '\n';
    std::cout << total << '\n';
    try {
        std::vector<int>().at(3);
    } catch (const std::out_of_range &) {
        std::cout << "out of range\n";
    }
    throw 42;
}
