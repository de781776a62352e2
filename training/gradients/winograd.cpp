// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, CVPR 2016), as six linear maps that are each other's adjoints.
//
// A 3x3 convolution is output(input(x) . kernel(w)), with a product of matrices for each of 36 frequencies in between. Memory:
// images (batch, height, width, channels), frequencies (36, tiles, channels), kernels (rows, 9, channels).
#include <algorithm>
#include <cstdint>
#include <cstring>

namespace {

using Size = std::int64_t;

template <class T>
struct Lanes {
    static constexpr Size count = 32 / sizeof(T);
    typedef T Vector __attribute__((vector_size(32)));

    static Vector load(const T* from, Size channels) {
        Vector vector{};
        if (channels >= count) std::memcpy(&vector, from, sizeof(Vector));
        else std::memcpy(&vector, from, channels * sizeof(T));
        return vector;
    }
    static void store(const Vector& vector, T* to, Size channels) {
        if (channels >= count) std::memcpy(to, &vector, sizeof(Vector));
        else std::memcpy(to, &vector, channels * sizeof(T));
    }
};

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

template <class Map, class V>
inline void both_ways(const V (&in)[Map::from][Map::from], V (&out)[Map::to][Map::to]) {
    V half[Map::from][Map::to];
    for (int i = 0; i < Map::from; i++) Map::apply(in[i], half[i]);
    for (int j = 0; j < Map::to; j++) {
        V column[Map::from], mapped[Map::to];
        for (int i = 0; i < Map::from; i++) column[i] = half[i][j];
        Map::apply(column, mapped);
        for (int i = 0; i < Map::to; i++) out[i][j] = mapped[i];
    }
}

// A window of `side` pixels of an image, cut where the image ends.
struct Window {
    Size top, left, height, width;
    bool holds(int i, int j) const {
        return top + i >= 0 && top + i < height && left + j >= 0 && left + j < width;
    }
    Size pixel(int i, int j) const { return (top + i) * width + left + j; }
};

template <class T, class Each>
inline void each_tile(Size batch, Size height, Size width, Size channels, int margin, Each each) {
    Size down = (height + 3) / 4, right = (width + 3) / 4, tile = 0;
    for (Size image = 0; image < batch; image++)
        for (Size row = 0; row < down; row++)
            for (Size column = 0; column < right; column++, tile++)
                for (Size channel = 0; channel < channels; channel += Lanes<T>::count)
                    each(image * height * width, tile, Window{4 * row - margin, 4 * column - margin, height, width}, channel);
}

// Images to frequencies: a window of Map::from pixels for each tile.
template <class T, class Map>
void analyse(const T* images, T* frequencies, Size batch, Size height, Size width, Size channels, int margin) {
    using L = Lanes<T>;
    const Size plane = batch * ((height + 3) / 4) * ((width + 3) / 4) * channels;
    each_tile<T>(batch, height, width, channels, margin, [&](Size image, Size tile, Window window, Size channel) {
        typename L::Vector in[Map::from][Map::from], out[Map::to][Map::to];
        const Size left = channels - channel;
        for (int i = 0; i < Map::from; i++)
            for (int j = 0; j < Map::from; j++)
                in[i][j] = window.holds(i, j) ? L::load(images + (image + window.pixel(i, j)) * channels + channel, left)
                                              : typename L::Vector{};
        both_ways<Map>(in, out);
        T* to = frequencies + tile * channels + channel;
        for (int f = 0; f < 36; f++) L::store(out[f / 6][f % 6], to + f * plane, left);
    });
}

// Frequencies to images: what windows share is summed.
template <class T, class Map>
void synthesise(const T* frequencies, T* images, Size batch, Size height, Size width, Size channels, int margin) {
    using L = Lanes<T>;
    const Size plane = batch * ((height + 3) / 4) * ((width + 3) / 4) * channels;
    if (margin) std::fill_n(images, batch * height * width * channels, T(0));
    each_tile<T>(batch, height, width, channels, margin, [&](Size image, Size tile, Window window, Size channel) {
        typename L::Vector in[6][6], out[Map::to][Map::to];
        const Size left = channels - channel;
        const T* from = frequencies + tile * channels + channel;
        for (int f = 0; f < 36; f++) in[f / 6][f % 6] = L::load(from + f * plane, left);
        both_ways<Map>(in, out);
        for (int i = 0; i < Map::to; i++)
            for (int j = 0; j < Map::to; j++)
                if (window.holds(i, j)) {
                    T* to = images + (image + window.pixel(i, j)) * channels + channel;
                    L::store(margin ? L::load(to, left) + out[i][j] : out[i][j], to, left);
                }
    });
}

template <class T>
void kernel(const T* kernels, T* frequencies, Size rows, Size channels) {
    using L = Lanes<T>;
    for (Size row = 0; row < rows; row++)
        for (Size channel = 0; channel < channels; channel += L::count) {
            typename L::Vector in[3][3], out[6][6];
            const Size left = channels - channel;
            for (int t = 0; t < 9; t++) in[t / 3][t % 3] = L::load(kernels + (row * 9 + t) * channels + channel, left);
            both_ways<Kernel<T>>(in, out);
            T* to = frequencies + row * channels + channel;
            for (int f = 0; f < 36; f++) L::store(out[f / 6][f % 6], to + f * rows * channels, left);
        }
}

template <class T>
void kernel_adjoint(const T* frequencies, T* kernels, Size rows, Size channels) {
    using L = Lanes<T>;
    for (Size row = 0; row < rows; row++)
        for (Size channel = 0; channel < channels; channel += L::count) {
            typename L::Vector in[6][6], out[3][3];
            const Size left = channels - channel;
            const T* from = frequencies + row * channels + channel;
            for (int f = 0; f < 36; f++) in[f / 6][f % 6] = L::load(from + f * rows * channels, left);
            both_ways<KernelAdjoint<T>>(in, out);
            for (int t = 0; t < 9; t++) L::store(out[t / 3][t % 3], kernels + (row * 9 + t) * channels + channel, left);
        }
}

}  // namespace

#define EXPORT(T)                                                                                              \
    extern "C" void input_##T(const T* x, T* f, Size b, Size h, Size w, Size c) { analyse<T, Input>(x, f, b, h, w, c, 1); } \
    extern "C" void input_adjoint_##T(const T* f, T* x, Size b, Size h, Size w, Size c) { synthesise<T, InputAdjoint>(f, x, b, h, w, c, 1); } \
    extern "C" void output_##T(const T* f, T* y, Size b, Size h, Size w, Size c) { synthesise<T, Output>(f, y, b, h, w, c, 0); } \
    extern "C" void output_adjoint_##T(const T* y, T* f, Size b, Size h, Size w, Size c) { analyse<T, OutputAdjoint>(y, f, b, h, w, c, 0); } \
    extern "C" void kernel_##T(const T* k, T* f, Size r, Size c) { kernel<T>(k, f, r, c); } \
    extern "C" void kernel_adjoint_##T(const T* f, T* k, Size r, Size c) { kernel_adjoint<T>(f, k, r, c); }
EXPORT(float)
EXPORT(double)
