// The linear maps of Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016), their adjoints, and the tiles of images that they map.
#pragma once

#include "vectors.hpp"

namespace {

struct Input {  // B^T
    static constexpr int from = 6, to = 6;
    template <class V> static void apply(const V* d, V* o) {
        o[0] = 4 * d[0] - 5 * d[2] + d[4];
        V even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
        o[1] = even + odd; o[2] = even - odd;
        even = d[4] - d[2], odd = 2 * (d[3] - d[1]);
        o[3] = even + odd; o[4] = even - odd;
        o[5] = 4 * d[1] - 5 * d[3] + d[5];
    }
};
struct InputAdjoint {
    static constexpr int from = 6, to = 6;
    template <class V> static void apply(const V* d, V* o) {
        V sum = d[1] + d[2], difference = d[1] - d[2], sum2 = d[3] + d[4], difference2 = 2 * (d[3] - d[4]);
        o[0] = 4 * d[0];
        o[1] = 4 * d[5] - 4 * difference - difference2;
        o[2] = -5 * d[0] - 4 * sum - sum2;
        o[3] = difference + difference2 - 5 * d[5];
        o[4] = d[0] + sum + sum2;
        o[5] = d[5];
    }
};
struct Output {  // A^T
    static constexpr int from = 6, to = 4;
    template <class V> static void apply(const V* d, V* o) {
        V sum = d[1] + d[2], difference = d[1] - d[2], sum2 = d[3] + d[4], difference2 = d[3] - d[4];
        o[0] = d[0] + sum + sum2;
        o[1] = difference + 2 * difference2;
        o[2] = sum + 4 * sum2;
        o[3] = difference + 8 * difference2 + d[5];
    }
};
struct OutputAdjoint {
    static constexpr int from = 4, to = 6;
    template <class V> static void apply(const V* d, V* o) {
        V even = d[0] + d[2], odd = d[1] + d[3];
        o[0] = d[0];
        o[1] = even + odd; o[2] = even - odd;
        even = d[0] + 4 * d[2], odd = 2 * d[1] + 8 * d[3];
        o[3] = even + odd; o[4] = even - odd;
        o[5] = d[3];
    }
};
template <class T> struct Kernel {  // G
    static constexpr int from = 3, to = 6;
    template <class V> static void apply(const V* d, V* o) {
        V even = d[0] + d[2];
        o[0] = d[0] * T(1. / 4);
        o[1] = (even + d[1]) * T(-1. / 6); o[2] = (even - d[1]) * T(-1. / 6);
        even = d[0] * T(1. / 24) + d[2] * T(1. / 6);
        V odd = d[1] * T(1. / 12);
        o[3] = even + odd; o[4] = even - odd;
        o[5] = d[2];
    }
};
template <class T> struct KernelAdjoint {
    static constexpr int from = 6, to = 3;
    template <class V> static void apply(const V* d, V* o) {
        V sum = (d[1] + d[2]) * T(1. / 6), difference = (d[1] - d[2]) * T(1. / 6);
        V sum2 = d[3] + d[4], difference2 = d[3] - d[4];
        o[0] = d[0] * T(1. / 4) - sum + sum2 * T(1. / 24);
        o[1] = difference2 * T(1. / 12) - difference;
        o[2] = sum2 * T(1. / 6) - sum + d[5];
    }
};

// Maps a square in both directions: first its columns, read by load(row, column), then its rows, written by
// store(row, column, value).
template <class Map, class Vector, class Load, class Store>
inline void both_ways(Load load, Store store) {
    Vector half[Map::to][Map::from];
#pragma GCC unroll 6
    for (int j = 0; j < Map::from; j++) {
        Vector column[Map::from], mapped[Map::to];
#pragma GCC unroll 6
        for (int i = 0; i < Map::from; i++) column[i] = load(i, j);
        Map::apply(column, mapped);
#pragma GCC unroll 6
        for (int i = 0; i < Map::to; i++) half[i][j] = mapped[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < Map::to; i++) {
        Vector mapped[Map::to];
        Map::apply(half[i], mapped);
#pragma GCC unroll 6
        for (int j = 0; j < Map::to; j++) store(i, j, mapped[j]);
    }
}

// Images cut into tiles of 4x4 pixels.
struct Images {
    Size batch, height, width, channels;
    Size down() const { return (height + 3) / 4; }
    Size right() const { return (width + 3) / 4; }
    Size tiles() const { return batch * down() * right(); }
};

// Walks the tiles of images in order. A window is a tile with `Margin` pixels around it. One image at a time lies on a canvas
// that is wide enough for all its windows, or is walked in place where no window reaches over an edge.
template <class T, class Pixel, int Margin>
class Walk {
  public:
    Walk(Pixel* pixels, const Images& images)
        : images(images), height(4 * images.down() + 2 * Margin), width(4 * images.right() + 2 * Margin), pixels(pixels),
          canvas(in_place() ? 0 : height * width * images.channels) {}

    // The first pixel of the next tile's window, in an image that is read.
    const T* read() {
        if (row == 0 && column == 0 && !in_place())
            each_row([&](Pixel* pixel, T* on_canvas) { std::copy_n(pixel, images.width * images.channels, on_canvas); });
        return next();
    }
    // The first pixel of the next tile's window, in an image that is written. `written` ends each tile, and copies an image whose
    // tiles are all written from the canvas.
    T* write() {
        if (row == 0 && column == 0 && !in_place()) std::fill(canvas.begin(), canvas.end(), T(0));
        return const_cast<T*>(next());
    }
    void written() {
        if (row == 0 && column == 0 && !in_place())
            each_row([&](Pixel* pixel, T* on_canvas) { std::copy_n(on_canvas, images.width * images.channels, pixel); }, 1);
    }
    Size row_step() const { return width * images.channels; }

  private:
    const Images images;
    const Size height, width;
    Pixel* const pixels;
    std::vector<T> canvas;
    Size image = 0, row = 0, column = 0;

    bool in_place() const { return height == images.height && width == images.width; }
    const T* next() {
        const T* first = in_place() ? pixels + image * height * width * images.channels : canvas.data();
        first += (4 * row * width + 4 * column) * images.channels;
        if (++column == images.right()) column = 0, row++;
        if (row == images.down()) row = 0, image++;
        return first;
    }
    template <class Each>
    void each_row(Each each, Size back = 0) {
        for (Size i = 0; i < images.height; i++)
            each(pixels + ((image - back) * images.height + i) * images.width * images.channels,
                 canvas.data() + ((i + Margin) * width + Margin) * images.channels);
    }
};

// Maps a window's pixels to frequencies whose planes are `plane` apart.
template <class T, class Map>
void analyse(const T* window, Size row_step, Size channels, T* frequencies, Size plane) {
    each_vector<T>(channels, [&](Size channel, Size left, auto whole) {
        both_ways<Map, typename Lanes<T>::Vector>(
            [&](int i, int j) { return load<T, whole>(window + i * row_step + j * channels + channel, left); },
            [&](int i, int j, auto value) { store<T, whole>(value, frequencies + (i * 6 + j) * plane + channel, left); });
    });
}

// Maps frequencies to a window's pixels. `Add`: the pixels that windows share are summed.
template <class T, class Map, bool Add>
void synthesise(const T* frequencies, Size plane, T* window, Size row_step, Size channels) {
    each_vector<T>(channels, [&](Size channel, Size left, auto whole) {
        both_ways<Map, typename Lanes<T>::Vector>(
            [&](int i, int j) { return load<T, whole>(frequencies + (i * 6 + j) * plane + channel, left); },
            [&](int i, int j, auto value) {
                T* pixel = window + i * row_step + j * channels + channel;
                store<T, whole>(Add ? load<T, whole>(pixel, left) + value : value, pixel, left);
            });
    });
}

}  // namespace
