// Convolutions with one channel a group, their adjoints and their weight gradients. Images are (batch, height, width, channels)
// in memory, kernels (clients, taps, channels); each client has a kernel of its own, and `images` images follow each other.
#include "vectors.hpp"

namespace {

struct Geometry {
    Size batch, height, width, rows, columns, channels, images;
    Size tall, wide, down, right, top, left, tap_down, tap_right;  // kernel, stride, padding, dilation
    Size area() const { return tall * wide; }
};

// The taps of one output position that lie in the image.
struct Taps {
    std::vector<Size> pixels, taps;  // where they read, from the image's and the kernel's first value
    Size count = 0;
    explicit Taps(const Geometry& g) : pixels(g.area()), taps(g.area()) {}
    void at(const Geometry& g, Size row, Size column) {
        count = 0;
        for (Size i = 0; i < g.tall; i++) {
            const Size y = row * g.down - g.top + i * g.tap_down;
            if (y < 0 || y >= g.height) continue;
            for (Size j = 0; j < g.wide; j++) {
                const Size x = column * g.right - g.left + j * g.tap_right;
                if (x < 0 || x >= g.width) continue;
                pixels[count] = (y * g.width + x) * g.channels;
                taps[count++] = (i * g.wide + j) * g.channels;
            }
        }
    }
};

// The sum of a position's taps, for one vector of channels; `Count` of them where that is known when compiling.
template <class T, bool Whole, int Count>
inline typename Lanes<T>::Vector sum(const T* image, const T* kernel, const Taps& taps, Size left) {
    typename Lanes<T>::Vector total{};
    const Size count = Count ? Count : taps.count;
    for (Size t = 0; t < count; t++)
        total += load<T, Whole>(image + taps.pixels[t], left) * load<T, Whole>(kernel + taps.taps[t], left);
    return total;
}

template <class T>
void forward(const T* images, const T* kernels, T* outputs, const Geometry& g) {
    Taps taps(g);
    for (Size b = 0; b < g.batch; b++) {
        const T *image = images + b * g.height * g.width * g.channels, *kernel = kernels + b / g.images * g.area() * g.channels;
        T* output = outputs + b * g.rows * g.columns * g.channels;
        for (Size row = 0; row < g.rows; row++)
            for (Size column = 0; column < g.columns; column++, output += g.channels) {
                taps.at(g, row, column);
                each_vector<T>(g.channels, [&](Size c, Size left, auto whole) {
                    const auto total = taps.count == 9 ? sum<T, whole, 9>(image + c, kernel + c, taps, left)
                                                       : sum<T, whole, 0>(image + c, kernel + c, taps, left);
                    store<T, whole>(total, output + c, left);
                });
            }
    }
}

// Writes the adjoint of `forward`: every output is scattered to the pixels that it came from.
template <class T>
void adjoint(const T* outputs, const T* kernels, T* images, const Geometry& g) {
    Taps taps(g);
    std::fill_n(images, g.batch * g.height * g.width * g.channels, T(0));
    for (Size b = 0; b < g.batch; b++) {
        T* image = images + b * g.height * g.width * g.channels;
        const T *output = outputs + b * g.rows * g.columns * g.channels, *kernel = kernels + b / g.images * g.area() * g.channels;
        for (Size row = 0; row < g.rows; row++)
            for (Size column = 0; column < g.columns; column++, output += g.channels) {
                taps.at(g, row, column);
                each_vector<T>(g.channels, [&](Size c, Size left, auto whole) {
                    const auto value = load<T, whole>(output + c, left);
                    for (Size t = 0; t < taps.count; t++) {
                        T* pixel = image + taps.pixels[t] + c;
                        store<T, whole>(load<T, whole>(pixel, left) + value * load<T, whole>(kernel + taps.taps[t] + c, left),
                                        pixel, left);
                    }
                });
            }
    }
}

// Writes each client's kernel gradient, from its images and the gradients by its outputs.
template <class T>
void weight_gradient(const T* images, const T* deltas, T* kernels, const Geometry& g) {
    std::fill_n(kernels, g.batch / g.images * g.area() * g.channels, T(0));
    for (Size b = 0; b < g.batch; b++) {
        const T *image = images + b * g.height * g.width * g.channels, *delta = deltas + b * g.rows * g.columns * g.channels;
        T* kernel = kernels + b / g.images * g.area() * g.channels;
        for (Size row = 0; row < g.rows; row++)
            for (Size i = 0; i < g.tall; i++) {
                const Size y = row * g.down - g.top + i * g.tap_down;
                if (y < 0 || y >= g.height) continue;
                for (Size j = 0; j < g.wide; j++) {
                    const Size offset = j * g.tap_right - g.left;  // of the column that the tap reads, where the first one is 0
                    const Size first = offset < 0 ? (-offset + g.right - 1) / g.right : 0;
                    const Size last = g.width <= offset ? 0 : std::min(g.columns, (g.width - 1 - offset) / g.right + 1);
                    const T *from = image + (y * g.width + offset) * g.channels, *by = delta + row * g.columns * g.channels;
                    each_vector<T>(g.channels, [&](Size c, Size left, auto whole) {
                        T* to = kernel + (i * g.wide + j) * g.channels + c;
                        auto total = load<T, whole>(to, left);
                        for (Size column = first; column < last; column++)
                            total += load<T, whole>(from + column * g.right * g.channels + c, left) *
                                     load<T, whole>(by + column * g.channels + c, left);
                        store<T, whole>(total, to, left);
                    });
                }
            }
    }
}

}  // namespace

#define ONE(NAME, T)                                                                                                      \
    extern "C" void NAME##_##T(const T* a, const T* b, T* c, Size batch, Size height, Size width, Size rows, Size columns, \
                               Size channels, Size images, Size tall, Size wide, Size down, Size right, Size top, Size left, \
                               Size tap_down, Size tap_right) {                                                           \
        NAME<T>(a, b, c, {batch, height, width, rows, columns, channels, images, tall, wide, down, right, top, left,       \
                          tap_down, tap_right});                                                                          \
    }
#define EXPORT(T)               \
    ONE(forward, T)    \
    ONE(adjoint, T)    \
    ONE(weight_gradient, T)
EXPORT(float)
EXPORT(double)
