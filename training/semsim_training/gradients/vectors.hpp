// Vectors of the processor's width, and loops over channels by them.
#pragma once

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

// Reads a vector of channels, or the `left` last ones where it is not `Whole`.
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

template <bool Flag> using Is = std::integral_constant<bool, Flag>;

// Calls `each` with the first channel of every vector, the number of channels left, and whether they fill the vector.
template <class T, class Each>
inline void each_vector(Size channels, Each each) {
    Size channel = 0;
    for (; channel + Lanes<T>::count <= channels; channel += Lanes<T>::count)
        each(channel, channels - channel, Is<true>{});
    if (channel < channels) each(channel, channels - channel, Is<false>{});
}

}  // namespace
