// 3x3 convolutions and their weight gradients as products of frequencies. A convolution is output(input(x) . kernel(w)), with
// a product of matrices for each of 36 frequencies. Images are (batch, height, width, channels) in memory, frequencies
// (36, tiles, channels), kernels (rows, 9, channels).
#include "winograd_maps.hpp"

namespace {

template <class T> constexpr Size panel = 2 * Lanes<T>::count;  // the channels of a product at a time
template <class T> Size padded(Size channels) { return (channels + panel<T> - 1) / panel<T> * panel<T>; }
inline Size fours(Size rows) { return (rows + 3) / 4 * 4; }

// Multiplies values (rows, inner) and factors (inner, width) into sums (rows, width), or adds the product to them (`Add`). Rows
// come in fours, the width in panels. Rows of `factors` are `step` apart, panels `apart`.
template <class T, bool Add>
void multiply(const T* values, Size row_step, Size inner_step, const T* factors, Size step, Size apart, T* sums, Size rows,
              Size inner, Size width) {
    using Vector = typename Lanes<T>::Vector;
    constexpr Size lanes = Lanes<T>::count;
    for (Size column = 0; column < width; column += panel<T>, factors += apart)
        for (Size row = 0; row < rows; row += 4) {
            Vector sum[4][2] = {};
            const T* value = values + row * row_step;
            T* to = sums + row * width + column;
            if (Add)
                for (int r = 0; r < 4; r++)
                    for (int v = 0; v < 2; v++) sum[r][v] = load<T, true>(to + r * width + v * lanes, lanes);
            for (Size i = 0; i < inner; i++) {
                const Vector a = load<T, true>(factors + i * step, lanes);
                const Vector b = load<T, true>(factors + i * step + lanes, lanes);
                for (int r = 0; r < 4; r++) {
                    sum[r][0] += value[r * row_step + i * inner_step] * a;
                    sum[r][1] += value[r * row_step + i * inner_step] * b;
                }
            }
            for (int r = 0; r < 4; r++)
                for (int v = 0; v < 2; v++) store<T, true>(sum[r][v], to + r * width + v * lanes, lanes);
        }
}

constexpr Size cache = 1 << 18;  // bytes of frequencies in a block
constexpr Size fewest = 16;  // tiles in a block, where that many do not fit into `cache`

// Writes to = Out(added + In(from) . kernel), block by block of tiles, so that only the frequencies in `kept` leave the cache.
template <class T, class In, int MarginIn, class Out, int MarginOut>
void convolve(const T* from, const T* kernel, const T* added, T* kept, T* to, const Images& in, const Images& out) {
    const Size wide = padded<T>(out.channels), tiles = in.tiles();
    const Size fitting = cache / Size(36 * sizeof(T)) / (in.channels + wide) / 4 * 4;
    const Size block = std::min(std::max(fitting, fewest), fours(tiles));
    // A little more than a power of two apart, lest planes push each other out of the cache.
    const Size plane_in = block * in.channels + panel<T>, plane_out = block * wide + panel<T>;
    std::vector<T> values(36 * plane_in), sums(36 * plane_out);
    Walk<T, const T, MarginIn> reader(from, in);
    Walk<T, T, MarginOut> writer(to, out);
    for (Size start = 0; start < tiles; start += block) {
        const Size count = std::min(block, tiles - start);
        for (Size tile = 0; tile < count; tile++)
            analyse<T, In>(reader.read(), reader.row_step(), in.channels, values.data() + tile * in.channels, plane_in);
        for (Size f = 0; f < 36; f++) {
            const T *value = values.data() + f * plane_in, *factors = kernel + f * wide * in.channels;
            T* sum = sums.data() + f * plane_out;
            if (kept) std::copy_n(value, count * in.channels, kept + (f * tiles + start) * in.channels);
            if (added) {
                for (Size tile = 0; tile < count; tile++)
                    std::copy_n(added + (f * tiles + start + tile) * out.channels, out.channels, sum + tile * wide);
                multiply<T, true>(value, in.channels, 1, factors, panel<T>, in.channels * panel<T>, sum, fours(count), in.channels, wide);
            } else {
                multiply<T, false>(value, in.channels, 1, factors, panel<T>, in.channels * panel<T>, sum, fours(count), in.channels, wide);
            }
        }
        for (Size tile = 0; tile < count; tile++) {
            T* window = writer.write();
            synthesise<T, Out, MarginOut != 0>(sums.data() + tile * wide, plane_out, window, writer.row_step(), out.channels);
            writer.written();
        }
    }
}

// Maps kernels (rows, 9, channels) to frequencies, whose rows are `row_apart` and whose planes are `plane` apart.
template <class T>
void kernel(const T* kernels, T* frequencies, Size rows, Size channels, Size row_apart, Size plane) {
    using Vector = typename Lanes<T>::Vector;
    for (Size row = 0; row < rows; row++)
        each_vector<T>(channels, [&](Size channel, Size left, auto whole) {
            const T* from = kernels + row * 9 * channels + channel;
            T* to = frequencies + row * row_apart + channel;
            both_ways<Kernel<T>, Vector>(
                [&](int i, int j) { return load<T, whole>(from + (i * 3 + j) * channels, left); },
                [&](int i, int j, Vector value) { store<T, whole>(value, to + (i * 6 + j) * plane, left); });
        });
}
// Maps such frequencies to kernels by the adjoint.
template <class T>
void kernel_adjoint(const T* frequencies, T* kernels, Size rows, Size channels, Size row_apart, Size plane) {
    using Vector = typename Lanes<T>::Vector;
    for (Size row = 0; row < rows; row++)
        each_vector<T>(channels, [&](Size channel, Size left, auto whole) {
            const T* from = frequencies + row * row_apart + channel;
            T* to = kernels + row * 9 * channels + channel;
            both_ways<KernelAdjoint<T>, Vector>(
                [&](int i, int j) { return load<T, whole>(from + (i * 6 + j) * plane, left); },
                [&](int i, int j, Vector value) { store<T, whole>(value, to + (i * 3 + j) * channels, left); });
        });
}

// Writes rows as columns, in blocks that stay in registers and cache lines.
template <class T>
void turn(const T* from, Size rows, Size columns, Size apart, T* to, Size to_apart) {
    constexpr Size side = 8;
    for (Size row = 0; row < rows; row += side)
        for (Size column = 0; column < columns; column += side) {
            T block[side][side];
            const Size height = std::min(side, rows - row), width = std::min(side, columns - column);
            for (Size r = 0; r < height; r++) std::memcpy(block[r], from + (row + r) * apart + column, width * sizeof(T));
            for (Size c = 0; c < width; c++)
                for (Size r = 0; r < height; r++) to[(column + c) * to_apart + row + r] = block[r][c];
        }
}

// The rows of a matrix where products can read and write them: in place, or in a buffer with `height` rows of `width`.
template <class T>
struct Rows {
    Size rows, columns, height, width;
    std::vector<T> buffer;

    Rows(Size rows, Size columns, Size height, Size width)
        : rows(rows), columns(columns), height(height), width(width), buffer(in_place() ? 0 : height * width) {}
    bool in_place() const { return rows == height && columns == width; }
    const T* read(const T* from) {
        if (in_place()) return from;
        for (Size row = 0; row < rows; row++) std::copy_n(from + row * columns, columns, buffer.data() + row * width);
        return buffer.data();
    }
    T* target(T* to) { return in_place() ? to : buffer.data(); }
    void write(T* to) const {
        if (in_place()) return;
        for (Size row = 0; row < rows; row++) std::copy_n(buffer.data() + row * width, columns, to + row * columns);
    }
};

constexpr Size few = 15;  // the most tiles of a client for `few_tiles`

// A client's frequencies. Each channel, or vector of channels, has them in one run of memory, because planes that lie powers of
// two apart would push each other out of the cache.
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

// weight_gradient for clients with few tiles. The products are many more than their factors, and are never written.
template <class T>
void few_tiles(const T* deltas, const T* inputs, T* kernels, Size clients, Size tiles, Size rows, Size channels) {
    using Vector = typename Lanes<T>::Vector;
    Packed<T, T> delta(tiles, clients * tiles, rows);
    Packed<T, Vector> input(tiles, clients * tiles, channels);
    for (Size client = 0; client < clients; client++) {
        delta.read(deltas, client);
        input.read(inputs, client);
        for (Size row = 0; row < rows; row++)
            each_vector<T>(channels, [&](Size channel, Size left, auto whole) {
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

// weight_gradient_backward for clients with few tiles.
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
            Vector sums[36 * few] = {};
            each_vector<T>(channels, [&](Size channel, Size left, auto whole) {
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

// Writes each client's kernels (clients, rows, 9, channels), from the products of its `deltas` (36, clients * tiles, rows) and
// `inputs` (36, clients * tiles, channels), summed over its tiles.
template <class T>
void weight_gradient(const T* deltas, const T* inputs, T* kernels, Size clients, Size tiles, Size rows, Size channels) {
    if (tiles <= few) return few_tiles(deltas, inputs, kernels, clients, tiles, rows, channels);
    const Size all = clients * tiles, wide = padded<T>(channels), plane = fours(rows) * wide + panel<T>;
    std::vector<T> products(36 * plane);
    Rows<T> delta(tiles, rows, tiles, fours(rows)), input(tiles, channels, tiles, wide);
    for (Size client = 0; client < clients; client++) {
        for (Size f = 0; f < 36; f++) {
            const Size first = f * all + client * tiles;
            multiply<T, false>(delta.read(deltas + first * rows), 1, fours(rows), input.read(inputs + first * channels), wide,
                               panel<T>, products.data() + f * plane, fours(rows), tiles, wide);
        }
        kernel_adjoint(products.data(), kernels + client * rows * 9 * channels, rows, channels, wide, plane);
    }
}

// Writes the gradients by deltas and inputs, where `kernels` is the gradient by the kernels of weight_gradient.
template <class T>
void weight_gradient_backward(const T* deltas, const T* inputs, const T* kernels, T* by_deltas, T* by_inputs, Size clients,
                              Size tiles, Size rows, Size channels) {
    if (tiles <= few)
        return few_tiles_backward(deltas, inputs, kernels, by_deltas, by_inputs, clients, tiles, rows, channels);
    const Size all = clients * tiles, wide = padded<T>(channels), high = padded<T>(rows), plane = rows * wide + panel<T>;
    std::vector<T> factors(36 * plane), turned(channels * high);
    Rows<T> delta(tiles, rows, fours(tiles), rows), input(tiles, channels, fours(tiles), channels);
    Rows<T> by_delta(tiles, rows, fours(tiles), high), by_input(tiles, channels, fours(tiles), wide);
    for (Size client = 0; client < clients; client++) {
        kernel(kernels + client * rows * 9 * channels, factors.data(), rows, channels, wide, plane);
        for (Size f = 0; f < 36; f++) {
            const Size first = f * all + client * tiles;
            const T* factor = factors.data() + f * plane;
            turn(factor, rows, channels, wide, turned.data(), high);
            T *to_inputs = by_inputs + first * channels, *to_deltas = by_deltas + first * rows;
            multiply<T, false>(delta.read(deltas + first * rows), rows, 1, factor, wide, panel<T>, by_input.target(to_inputs),
                               fours(tiles), rows, wide);
            multiply<T, false>(input.read(inputs + first * channels), channels, 1, turned.data(), high, panel<T>,
                               by_delta.target(to_deltas), fours(tiles), channels, high);
            by_input.write(to_inputs);
            by_delta.write(to_deltas);
        }
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
    extern "C" void kernel_##T(const T* from, T* to, Size r, Size c) { kernel<T>(from, to, r, c, c, r * c); }            \
    extern "C" void weight_gradient_##T(const T* d, const T* i, T* k, Size n, Size t, Size r, Size c) {                  \
        weight_gradient<T>(d, i, k, n, t, r, c);                                                                         \
    }                                                                                                                    \
    extern "C" void weight_gradient_backward_##T(const T* d, const T* i, const T* k, T* by_d, T* by_i, Size n, Size t,   \
                                                 Size r, Size c) {                                                       \
        weight_gradient_backward<T>(d, i, k, by_d, by_i, n, t, r, c);                                                    \
    }
EXPORT(float)
EXPORT(double)
