// Values minus their mean, over their deviation, within groups of channels, and both derivatives. Values are
// (batch, pixels, groups, channels of a group) in memory; a mean is over the pixels and the channels of one group.
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using Size = std::int64_t;

struct Layout {
    Size batch, pixels, groups, channels;
    Size wide() const { return groups * channels; }
};

// Turns sums of channels into the mean of their group, once for each channel.
template <class T>
void spread(T* sums, const Layout& in) {
    constexpr int lanes = 8;
    const T share = T(1) / T(in.pixels * in.channels);
    for (Size group = 0; group < in.groups; group++, sums += in.channels) {
        T part[lanes] = {}, total = 0;
        Size c = 0;
        for (; c + lanes <= in.channels; c += lanes)
            for (int lane = 0; lane < lanes; lane++) part[lane] += sums[c + lane];
        for (; c < in.channels; c++) total += sums[c];
        for (int lane = 0; lane < lanes; lane++) total += part[lane];
        for (c = 0; c < in.channels; c++) sums[c] = total * share;
    }
}

// Calls `each` with the place of every value of an image, and its channel.
template <class Each>
inline void each_value(Size image, const Layout& in, Each each) {
    const Size wide = in.wide();
    for (Size pixel = 0; pixel < in.pixels; pixel++) {
        const Size at = (image * in.pixels + pixel) * wide;
#pragma GCC ivdep
        for (Size c = 0; c < wide; c++) each(at + c, c);
    }
}

// Writes y and, for each group of each image, one over the deviation.
template <class T>
void forward(const T* x, const T* epsilon, T* y, T* inverse, const Layout& in) {
    std::vector<T> means(in.wide()), squares(in.wide());
    T *mean = means.data(), *square = squares.data();
    for (Size image = 0; image < in.batch; image++) {
        for (Size c = 0; c < in.wide(); c++) mean[c] = square[c] = 0;
        each_value(image, in, [=](Size i, Size c) { mean[c] += x[i]; });
        spread(mean, in);
        each_value(image, in, [=](Size i, Size c) { square[c] += (x[i] - mean[c]) * (x[i] - mean[c]); });
        spread(square, in);
        for (Size c = 0; c < in.wide(); c++) square[c] = T(1) / std::sqrt(square[c] + *epsilon);
        for (Size group = 0; group < in.groups; group++) inverse[image * in.groups + group] = square[group * in.channels];
        each_value(image, in, [=](Size i, Size c) { y[i] = (x[i] - mean[c]) * square[c]; });
    }
}

// Writes the gradient by x, where `delta` is that by y.
template <class T>
void adjoint(const T* delta, const T* y, const T* inverse, T* by_x, const Layout& in) {
    std::vector<T> sums(3 * in.wide());
    T *mean = sums.data(), *along = mean + in.wide(), *scale = along + in.wide();
    for (Size image = 0; image < in.batch; image++) {
        for (Size c = 0; c < in.wide(); c++) {
            mean[c] = along[c] = 0;
            scale[c] = inverse[image * in.groups + c / in.channels];
        }
        each_value(image, in, [=](Size i, Size c) { mean[c] += delta[i], along[c] += delta[i] * y[i]; });
        spread(mean, in);
        spread(along, in);
        each_value(image, in, [=](Size i, Size c) { by_x[i] = scale[c] * (delta[i] - mean[c] - y[i] * along[c]); });
    }
}

// Writes the gradients of `adjoint` by delta and x, where `to` is that by its result.
template <class T>
void second(const T* to, const T* delta, const T* y, const T* inverse, T* by_delta, T* by_x, const Layout& in) {
    const Size wide = in.wide();
    std::vector<T> sums(6 * wide);
    T *to_mean = sums.data(), *mean = to_mean + wide, *both = mean + wide, *to_along = both + wide, *along = to_along + wide,
      *scale = along + wide;
    for (Size image = 0; image < in.batch; image++) {
        for (Size c = 0; c < wide; c++) {
            to_mean[c] = mean[c] = both[c] = to_along[c] = along[c] = 0;
            scale[c] = inverse[image * in.groups + c / in.channels];
        }
        each_value(image, in, [=](Size i, Size c) {
            to_mean[c] += to[i], mean[c] += delta[i], both[c] += to[i] * delta[i];
            to_along[c] += to[i] * y[i], along[c] += delta[i] * y[i];
        });
        for (T* sum : {to_mean, mean, both, to_along, along}) spread(sum, in);
        for (Size c = 0; c < wide; c++) both[c] -= to_mean[c] * mean[c] + 3 * to_along[c] * along[c];
        each_value(image, in, [=](Size i, Size c) {
            by_delta[i] = scale[c] * (to[i] - to_mean[c] - y[i] * to_along[c]);
            by_x[i] = -scale[c] * scale[c] *
                      (along[c] * (to[i] - to_mean[c]) + to_along[c] * (delta[i] - mean[c]) + both[c] * y[i]);
        });
    }
}

}  // namespace

#define EXPORT(T)                                                                                                          \
    extern "C" void forward_##T(const T* x, const T* e, T* y, T* i, Size b, Size p, Size g, Size c) {                      \
        forward<T>(x, e, y, i, {b, p, g, c});                                                                              \
    }                                                                                                                      \
    extern "C" void adjoint_##T(const T* d, const T* y, const T* i, T* by_x, Size b, Size p, Size g, Size c) {             \
        adjoint<T>(d, y, i, by_x, {b, p, g, c});                                                                           \
    }                                                                                                                      \
    extern "C" void second_##T(const T* to, const T* d, const T* y, const T* i, T* by_d, T* by_x, Size b, Size p, Size g,  \
                               Size c) {                                                                                   \
        second<T>(to, d, y, i, by_d, by_x, {b, p, g, c});                                                                  \
    }
EXPORT(float)
EXPORT(double)
