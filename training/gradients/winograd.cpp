// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, CVPR 2016), as six linear maps that are each other's adjoints.
//
// A 3x3 convolution is output(input(x) . kernel(w)), with a product of matrices for each of 36 frequencies in between. Memory:
// images (batch, height, width, channels), frequencies (36, tiles, channels), kernels (rows, 9, channels).
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace {

using Size = std::int64_t;

template <class T>
struct Lanes {
    static constexpr Size count = 32 / sizeof(T);
    typedef T Vector __attribute__((vector_size(32)));
};

// Up to a vector of channels; `Whole`: all of a vector, else `left`.
template <class T, bool Whole>
inline typename Lanes<T>::Vector load(const T* from, Size left) {
    typename Lanes<T>::Vector vector{};
    std::memcpy(&vector, from, Whole ? sizeof(vector) : left * sizeof(T));
    return vector;
}
template <class T, bool Whole>
inline void store(const typename Lanes<T>::Vector& vector, T* to, Size left) {
    std::memcpy(to, &vector, Whole ? sizeof(vector) : left * sizeof(T));
}

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

// A window of an image's pixels; it may reach over the edges.
struct Window {
    Size top, left, height, width;
    bool holds(Size i, Size j) const {
        return top + i >= 0 && top + i < height && left + j >= 0 && left + j < width;
    }
    bool inside(int side) const { return holds(0, 0) && holds(side - 1, side - 1); }
};

template <bool Flag> using Is = std::integral_constant<bool, Flag>;

// Calls each(offset of the window's first pixel, tile, window, channel, channels left, whole vector, window inside).
template <class T, int Side, int Margin, class Each>
inline void each_tile(Size batch, Size height, Size width, Size channels, Each each) {
    const Size down = (height + 3) / 4, right = (width + 3) / 4;
    Size tile = 0;
    for (Size image = 0; image < batch; image++)
        for (Size row = 0; row < down; row++)
            for (Size column = 0; column < right; column++, tile++) {
                const Window window{4 * row - Margin, 4 * column - Margin, height, width};
                const Size first = ((image * height + window.top) * width + window.left) * channels;
                const bool inside = window.inside(Side);
                for (Size channel = 0; channel < channels; channel += Lanes<T>::count) {
                    const Size left = channels - channel;
                    const bool whole = left >= Lanes<T>::count;
                    if (whole && inside) each(first + channel, tile, window, channel, left, Is<true>{}, Is<true>{});
                    else if (whole) each(first + channel, tile, window, channel, left, Is<true>{}, Is<false>{});
                    else each(first + channel, tile, window, channel, left, Is<false>{}, Is<false>{});
                }
            }
}

// Images to frequencies, a window a tile; what lies over the edges is zero.
template <class T, class Map, int Margin>
void analyse(const T* images, T* frequencies, Size batch, Size height, Size width, Size channels) {
    using Vector = typename Lanes<T>::Vector;
    const Size plane = batch * ((height + 3) / 4) * ((width + 3) / 4) * channels;
    each_tile<T, Map::from, Margin>(batch, height, width, channels,
        [&](Size first, Size tile, const Window& window, Size channel, Size left, auto whole, auto inside) {
        Vector in[Map::from][Map::from], out[Map::to][Map::to];
        for (Size i = 0; i < Map::from; i++)
            for (Size j = 0; j < Map::from; j++)
                in[i][j] = inside || window.holds(i, j)
                    ? load<T, whole>(images + first + (i * width + j) * channels, left) : Vector{};
        both_ways<Map>(in, out);
        T* to = frequencies + tile * channels + channel;
        for (int f = 0; f < 36; f++) store<T, whole>(out[f / 6][f % 6], to + f * plane, left);
    });
}

// Frequencies to images; what windows share is summed.
template <class T, class Map, int Margin>
void synthesise(const T* frequencies, T* images, Size batch, Size height, Size width, Size channels) {
    using Vector = typename Lanes<T>::Vector;
    const Size plane = batch * ((height + 3) / 4) * ((width + 3) / 4) * channels;
    if (Margin) std::fill_n(images, batch * height * width * channels, T(0));
    each_tile<T, Map::to, Margin>(batch, height, width, channels,
        [&](Size first, Size tile, const Window& window, Size channel, Size left, auto whole, auto inside) {
        Vector in[6][6], out[Map::to][Map::to];
        const T* from = frequencies + tile * channels + channel;
        for (int f = 0; f < 36; f++) in[f / 6][f % 6] = load<T, whole>(from + f * plane, left);
        both_ways<Map>(in, out);
        for (Size i = 0; i < Map::to; i++)
            for (Size j = 0; j < Map::to; j++)
                if (inside || window.holds(i, j)) {
                    T* to = images + first + (i * width + j) * channels;
                    store<T, whole>(Margin ? load<T, whole>(to, left) + out[i][j] : out[i][j], to, left);
                }
    });
}

// Calls each(row, channel, channels left, whole vector).
template <class T, class Each>
inline void each_kernel(Size rows, Size channels, Each each) {
    for (Size row = 0; row < rows; row++)
        for (Size channel = 0; channel < channels; channel += Lanes<T>::count) {
            const Size left = channels - channel;
            if (left >= Lanes<T>::count) each(row, channel, left, Is<true>{});
            else each(row, channel, left, Is<false>{});
        }
}

template <class T>
void kernel(const T* kernels, T* frequencies, Size rows, Size channels) {
    each_kernel<T>(rows, channels, [&](Size row, Size channel, Size left, auto whole) {
        typename Lanes<T>::Vector in[3][3], out[6][6];
        const T* from = kernels + row * 9 * channels + channel;
        T* to = frequencies + row * channels + channel;
        for (int t = 0; t < 9; t++) in[t / 3][t % 3] = load<T, whole>(from + t * channels, left);
        both_ways<Kernel<T>>(in, out);
        for (int f = 0; f < 36; f++) store<T, whole>(out[f / 6][f % 6], to + f * rows * channels, left);
    });
}

template <class T>
void kernel_adjoint(const T* frequencies, T* kernels, Size rows, Size channels) {
    each_kernel<T>(rows, channels, [&](Size row, Size channel, Size left, auto whole) {
        typename Lanes<T>::Vector in[6][6], out[3][3];
        const T* from = frequencies + row * channels + channel;
        T* to = kernels + row * 9 * channels + channel;
        for (int f = 0; f < 36; f++) in[f / 6][f % 6] = load<T, whole>(from + f * rows * channels, left);
        both_ways<KernelAdjoint<T>>(in, out);
        for (int t = 0; t < 9; t++) store<T, whole>(out[t / 3][t % 3], to + t * channels, left);
    });
}

constexpr Size most_tiles = 16;

// Of one client, a run of memory for each channel, or vector of channels, instead of one for each frequency and tile: planes that lie
// powers of two apart would push each other out of the cache.
template <class T, class Value>
struct Packed {
    static constexpr Size lanes = sizeof(Value) / sizeof(T);
    Size planes, all, channels;
    std::vector<Value> values;

    Packed(Size tiles, Size all, Size channels)
        : planes(36 * tiles), all(all), channels(channels), values((channels + lanes - 1) / lanes * planes) {}

    Value* of(Size channel) { return values.data() + channel / lanes * planes; }

    void read(const T* frequencies, Size client) {
        each(client, [&](Value& value, Size at, Size left) {
            value = Value{};
            std::memcpy(&value, frequencies + at, std::min(left, lanes) * sizeof(T));
        });
    }
    void write(T* frequencies, Size client) {
        each(client, [&](Value& value, Size at, Size left) {
            std::memcpy(frequencies + at, &value, std::min(left, lanes) * sizeof(T));
        });
    }
    void clear() { std::fill(values.begin(), values.end(), Value{}); }

  private:
    template <class Each>
    void each(Size client, Each visit) {
        const Size tiles = planes / 36;
        for (Size plane = 0; plane < planes; plane++) {
            const Size start = (plane / tiles * all + client * tiles + plane % tiles) * channels;
            for (Size channel = 0; channel < channels; channel += lanes)
                visit(of(channel)[plane], start + channel, channels - channel);
        }
    }
};

// For each client the kernels that `deltas` (36, clients * tiles, rows) and `inputs` (36, clients * tiles, channels) give when
// summed over its tiles, (clients, rows, 9, channels): kernel_adjoint of their products, which are never written down.
template <class T>
void few_tiles(const T* deltas, const T* inputs, T* kernels, Size clients, Size tiles, Size rows, Size channels) {
    using Vector = typename Lanes<T>::Vector;
    Packed<T, T> delta(tiles, clients * tiles, rows);
    Packed<T, Vector> input(tiles, clients * tiles, channels);
    for (Size client = 0; client < clients; client++) {
        delta.read(deltas, client);
        input.read(inputs, client);
        each_kernel<T>(rows, channels, [&](Size row, Size channel, Size left, auto whole) {
            const T* d = delta.of(row);
            const Vector* x = input.of(channel);
            Vector product[6][6], out[3][3];
            for (Size f = 0; f < 36; f++) {
                Vector sum{};
                for (Size t = 0; t < tiles; t++) sum += *d++ * *x++;
                product[f / 6][f % 6] = sum;
            }
            both_ways<KernelAdjoint<T>>(product, out);
            T* to = kernels + (client * rows + row) * 9 * channels + channel;
            for (int t = 0; t < 9; t++) store<T, whole>(out[t / 3][t % 3], to + t * channels, left);
        });
    }
}

// The gradients of few_tiles by deltas and inputs, of that by `kernels`.
template <class T>
void few_tiles_backward(const T* deltas, const T* inputs, const T* kernels, T* by_deltas, T* by_inputs, Size clients,
                        Size tiles, Size rows, Size channels) {
    using Vector = typename Lanes<T>::Vector;
    Packed<T, T> delta(tiles, clients * tiles, rows), by_delta = delta;
    Packed<T, Vector> input(tiles, clients * tiles, channels), by_input = input;
    for (Size client = 0; client < clients; client++) {
        delta.read(deltas, client);
        input.read(inputs, client);
        by_input.clear();
        for (Size row = 0; row < rows; row++) {
            Vector sums[36 * most_tiles] = {};
            each_kernel<T>(1, channels, [&](Size, Size channel, Size left, auto whole) {
                const T *d = delta.of(row), *from = kernels + (client * rows + row) * 9 * channels + channel;
                const Vector* x = input.of(channel);
                Vector *by_x = by_input.of(channel), *sum = sums, in[3][3], kernel[6][6];
                for (int t = 0; t < 9; t++) in[t / 3][t % 3] = load<T, whole>(from + t * channels, left);
                both_ways<Kernel<T>>(in, kernel);
                for (Size f = 0; f < 36; f++)
                    for (Size t = 0; t < tiles; t++) {
                        *sum++ += *x++ * kernel[f / 6][f % 6];
                        *by_x++ += *d++ * kernel[f / 6][f % 6];
                    }
            });
            for (Size plane = 0; plane < 36 * tiles; plane++) {
                T total = 0;
                for (Size lane = 0; lane < Lanes<T>::count; lane++) total += sums[plane][lane];
                by_delta.of(row)[plane] = total;
            }
        }
        by_delta.write(by_deltas, client);
        by_input.write(by_inputs, client);
    }
}

}  // namespace

#define IMAGES(name, T, call) \
    extern "C" void name##_##T(const T* from, T* to, Size b, Size h, Size w, Size c) { call(from, to, b, h, w, c); }
#define KERNELS(name, T) \
    extern "C" void name##_##T(const T* from, T* to, Size r, Size c) { name<T>(from, to, r, c); }
#define CLIENTS(T)                                                                                              \
    extern "C" void few_tiles_##T(const T* d, const T* i, T* k, Size n, Size t, Size r, Size c) {                \
        few_tiles<T>(d, i, k, n, t, r, c);                                                                       \
    }                                                                                                            \
    extern "C" void few_tiles_backward_##T(const T* d, const T* i, const T* k, T* by_d, T* by_i, Size n, Size t, \
                                           Size r, Size c) {                                                     \
        few_tiles_backward<T>(d, i, k, by_d, by_i, n, t, r, c);                                                  \
    }
#define EXPORT(T)                                           \
    IMAGES(input, T, (analyse<T, Input, 1>))                  \
    IMAGES(input_adjoint, T, (synthesise<T, InputAdjoint, 1>)) \
    IMAGES(output, T, (synthesise<T, Output, 0>))             \
    IMAGES(output_adjoint, T, (analyse<T, OutputAdjoint, 0>)) \
    KERNELS(kernel, T)                                      \
    KERNELS(kernel_adjoint, T)                              \
    CLIENTS(T)
EXPORT(float)
EXPORT(double)
