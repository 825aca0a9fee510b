// Neighbour counts over a byte grid: Conway's game of life on a torus.
// bench: class=int small=4
#include <stdio.h>
#include <stdlib.h>

enum { W = 512, H = 512 };
static unsigned char grid[2][H][W];

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 250;
    unsigned s = 1;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            s = s * 1664525u + 1013904223u;
            grid[0][y][x] = s >> 30 == 0;
        }
    for (long r = 0; r < rounds; r++) {
        unsigned char(*from)[W] = grid[r & 1], (*to)[W] = grid[~r & 1];
        for (int y = 0; y < H; y++) {
            const unsigned char *up = from[(y + H - 1) % H], *mid = from[y], *down = from[(y + 1) % H];
            for (int x = 0; x < W; x++) {
                int l = (x + W - 1) % W, m = (x + 1) % W;
                int n = up[l] + up[x] + up[m] + mid[l] + mid[m] + down[l] + down[x] + down[m];
                if (n == 3 || (n == 2 && mid[x]))
                    to[y][x] = 1;
                else
                    to[y][x] = 0;
            }
        }
    }
    long alive = 0;
    unsigned place = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            if (grid[rounds & 1][y][x]) {
                alive++;
                place += (unsigned)(y * W + x);
            }
    printf("%ld %u\n", alive, place);
    return 0;
}
