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

// Map in both directions: of columns read by load(row, column), then of rows written by store(row, column, value).
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

template <bool Flag> using Is = std::integral_constant<bool, Flag>;

// Images cut into tiles of 4x4 pixels; a window is a tile with `Margin` pixels around it, and may reach over the edges.
struct Images {
    Size batch, height, width, channels;
    Size down() const { return (height + 3) / 4; }
    Size right() const { return (width + 3) / 4; }
    Size tiles() const { return batch * down() * right(); }
    Size size() const { return batch * height * width * channels; }
};
struct Window {
    Size top, left, height, width, first;
    Window(const Images& images, Size tile, int margin) : height(images.height), width(images.width) {
        top = tile / images.right() % images.down() * 4 - margin;
        left = tile % images.right() * 4 - margin;
        first = (tile / images.right() / images.down() * height + top) * width + left;
    }
    bool holds(Size i, Size j) const { return top + i >= 0 && top + i < height && left + j >= 0 && left + j < width; }
    bool inside(int side) const { return holds(0, 0) && holds(side - 1, side - 1); }
};

// Calls each(channel, channels left, whole vector).
template <class T, class Each>
inline void each_vector(Size channels, Each each) {
    Size channel = 0;
    for (; channel + Lanes<T>::count <= channels; channel += Lanes<T>::count)
        each(channel, channels - channel, Is<true>{});
    if (channel < channels) each(channel, channels - channel, Is<false>{});
}

// A window's pixels to frequencies `plane` apart; what lies over the edges is zero.
template <class T, class Map, int Margin>
void analyse(const T* from, const Images& images, Size tile, T* frequencies, Size plane) {
    using Vector = typename Lanes<T>::Vector;
    const Window window(images, tile, Margin);
    const bool inside = window.inside(Map::from);
    const T* first = from + window.first * images.channels;
    each_vector<T>(images.channels, [&](Size channel, Size left, auto whole) {
        const auto write = [&](int i, int j, Vector value) {
            store<T, whole>(value, frequencies + (i * 6 + j) * plane + channel, left);
        };
        const auto pixel = [&](int i, int j) {
            return load<T, whole>(first + (i * images.width + j) * images.channels + channel, left);
        };
        if (inside) both_ways<Map, Vector>(pixel, write);
        else both_ways<Map, Vector>([&](int i, int j) { return window.holds(i, j) ? pixel(i, j) : Vector{}; }, write);
    });
}

// Frequencies to pixels; what windows share is summed.
template <class T, class Map, int Margin>
void synthesise(const T* frequencies, Size plane, T* to, const Images& images, Size tile) {
    using Vector = typename Lanes<T>::Vector;
    const Window window(images, tile, Margin);
    const bool inside = window.inside(Map::to);
    T* first = to + window.first * images.channels;
    each_vector<T>(images.channels, [&](Size channel, Size left, auto whole) {
        const auto read = [&](int i, int j) {
            return load<T, whole>(frequencies + (i * 6 + j) * plane + channel, left);
        };
        const auto write = [&](int i, int j, Vector value) {
            T* pixel = first + (i * images.width + j) * images.channels + channel;
            store<T, whole>(Margin ? load<T, whole>(pixel, left) + value : value, pixel, left);
        };
        if (inside) both_ways<Map, Vector>(read, write);
        else both_ways<Map, Vector>(read, [&](int i, int j, Vector value) { if (window.holds(i, j)) write(i, j, value); });
    });
}

// sums (tiles, panels * 2 vectors) += values (tiles, channels) times panels (panels, channels, 2 vectors); tiles in fours.
template <class T>
void multiply(const T* values, const T* kernel, T* sums, Size tiles, Size channels, Size panels) {
    using Vector = typename Lanes<T>::Vector;
    constexpr Size lanes = Lanes<T>::count;
    for (Size panel = 0; panel < panels; panel++, kernel += channels * 2 * lanes)
        for (Size tile = 0; tile < tiles; tile += 4) {
            Vector sum[4][2];
            const T* value = values + tile * channels;
            T* to = sums + (tile * panels + panel) * 2 * lanes;
            for (int t = 0; t < 4; t++)
                for (int v = 0; v < 2; v++) sum[t][v] = load<T, true>(to + t * panels * 2 * lanes + v * lanes, lanes);
            for (Size channel = 0; channel < channels; channel++) {
                const Vector a = load<T, true>(kernel + channel * 2 * lanes, lanes);
                const Vector b = load<T, true>(kernel + channel * 2 * lanes + lanes, lanes);
                for (int t = 0; t < 4; t++) {
                    sum[t][0] += value[t * channels + channel] * a;
                    sum[t][1] += value[t * channels + channel] * b;
                }
            }
            for (int t = 0; t < 4; t++)
                for (int v = 0; v < 2; v++) store<T, true>(sum[t][v], to + t * panels * 2 * lanes + v * lanes, lanes);
        }
}

constexpr Size cache = 1 << 18, fewest = 16;  // bytes of frequencies in a block; and tiles, where that many do not fit

// to = Out(added + In(from) . kernel), block by block of tiles, so that no frequencies leave the cache but those kept.
template <class T, class In, int MarginIn, class Out, int MarginOut>
void convolve(const T* from, const T* kernel, const T* added, T* kept, T* to, const Images& in, const Images& out) {
    constexpr Size panel = 2 * Lanes<T>::count;
    const Size panels = (out.channels + panel - 1) / panel, wide = panels * panel, tiles = in.tiles();
    const Size fitting = cache / Size(36 * sizeof(T)) / (in.channels + wide) / 4 * 4;
    const Size block = std::min(std::max(fitting, fewest), (tiles + 3) / 4 * 4);
    const Size plane_in = block * in.channels + panel, plane_out = block * wide + panel;
    std::vector<T> values(36 * plane_in), sums(36 * plane_out);
    if (MarginOut) std::fill_n(to, out.size(), T(0));
    for (Size start = 0; start < tiles; start += block) {
        const Size count = std::min(block, tiles - start);
        for (Size tile = 0; tile < count; tile++)
            analyse<T, In, MarginIn>(from, in, start + tile, values.data() + tile * in.channels, plane_in);
        for (Size f = 0; f < 36; f++) {
            const T* value = values.data() + f * plane_in;
            T* sum = sums.data() + f * plane_out;
            if (kept) std::copy_n(value, count * in.channels, kept + (f * tiles + start) * in.channels);
            std::fill_n(sum, plane_out, T(0));
            if (added)
                for (Size tile = 0; tile < count; tile++)
                    std::copy_n(added + (f * tiles + start + tile) * out.channels, out.channels, sum + tile * wide);
            multiply<T>(value, kernel + f * panels * in.channels * panel, sum, (count + 3) / 4 * 4, in.channels, panels);
        }
        for (Size tile = 0; tile < count; tile++)
            synthesise<T, Out, MarginOut>(sums.data() + tile * wide, plane_out, to, out, start + tile);
    }
}

// Calls each(row, channel, channels left, whole vector).
template <class T, class Each>
inline void each_kernel(Size rows, Size channels, Each each) {
    for (Size row = 0; row < rows; row++)
        each_vector<T>(channels, [&](Size channel, Size left, auto whole) { each(row, channel, left, whole); });
}

template <class T>
void kernel(const T* kernels, T* frequencies, Size rows, Size channels) {
    each_kernel<T>(rows, channels, [&](Size row, Size channel, Size left, auto whole) {
        using Vector = typename Lanes<T>::Vector;
        const T* from = kernels + row * 9 * channels + channel;
        T* to = frequencies + row * channels + channel;
        both_ways<Kernel<T>, Vector>(
            [&](int i, int j) { return load<T, whole>(from + (i * 3 + j) * channels, left); },
            [&](int i, int j, Vector value) { store<T, whole>(value, to + (i * 6 + j) * rows * channels, left); });
    });
}

template <class T>
void kernel_adjoint(const T* frequencies, T* kernels, Size rows, Size channels) {
    each_kernel<T>(rows, channels, [&](Size row, Size channel, Size left, auto whole) {
        using Vector = typename Lanes<T>::Vector;
        const T* from = frequencies + row * channels + channel;
        T* to = kernels + row * 9 * channels + channel;
        both_ways<KernelAdjoint<T>, Vector>(
            [&](int i, int j) { return load<T, whole>(from + (i * 6 + j) * rows * channels, left); },
            [&](int i, int j, Vector value) { store<T, whole>(value, to + (i * 3 + j) * channels, left); });
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
            T* to = kernels + (client * rows + row) * 9 * channels + channel;
            Vector product[36];
            for (Vector& sum : product) {
                sum = Vector{};
                for (Size t = 0; t < tiles; t++) sum += *d++ * *x++;
            }
            both_ways<KernelAdjoint<T>, Vector>(
                [&](int i, int j) { return product[i * 6 + j]; },
                [&](int i, int j, Vector value) { store<T, whole>(value, to + (i * 3 + j) * channels, left); });
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
                Vector *by_x = by_input.of(channel), *sum = sums, kernel[36];
                both_ways<Kernel<T>, Vector>(
                    [&](int i, int j) { return load<T, whole>(from + (i * 3 + j) * channels, left); },
                    [&](int i, int j, Vector value) { kernel[i * 6 + j] = value; });
                for (const Vector& value : kernel)
                    for (Size t = 0; t < tiles; t++) {
                        *sum++ += *x++ * value;
                        *by_x++ += *d++ * value;
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

#define EXPORT(T)                                                                                                        \
    extern "C" void forward_##T(const T* from, const T* kernel, const T* added, T* kept, T* to, Size b, Size h, Size w, \
                                Size in, Size out) {                                                                     \
        convolve<T, Input, 1, Output, 0>(from, kernel, added, kept, to, {b, h, w, in}, {b, h, w, out});                  \
    }                                                                                                                    \
    extern "C" void adjoint_##T(const T* from, const T* kernel, const T* added, T* kept, T* to, Size b, Size h, Size w, \
                                Size in, Size out) {                                                                     \
        convolve<T, OutputAdjoint, 0, InputAdjoint, 1>(from, kernel, added, kept, to, {b, h, w, in}, {b, h, w, out});    \
    }                                                                                                                    \
    extern "C" void kernel_##T(const T* from, T* to, Size r, Size c) { kernel<T>(from, to, r, c); }                      \
    extern "C" void kernel_adjoint_##T(const T* from, T* to, Size r, Size c) { kernel_adjoint<T>(from, to, r, c); }      \
    extern "C" void few_tiles_##T(const T* d, const T* i, T* k, Size n, Size t, Size r, Size c) {                        \
        few_tiles<T>(d, i, k, n, t, r, c);                                                                               \
    }                                                                                                                    \
    extern "C" void few_tiles_backward_##T(const T* d, const T* i, const T* k, T* by_d, T* by_i, Size n, Size t, Size r, \
                                           Size c) {                                                                     \
        few_tiles_backward<T>(d, i, k, by_d, by_i, n, t, r, c);                                                          \
    }
EXPORT(float)
EXPORT(double)
