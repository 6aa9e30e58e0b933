package escadatest

import (
	"math/bits"
	"math/rand/v2"
)

// random draws numbers. It uses only the PCG generator itself, whose output is
// fixed by its definition, and none of rand.Rand's methods, which may change.
type random struct{ pcg *rand.PCG }

// newRandom derives an independent stream from a seed and some numbers.
func newRandom(seed uint64, salt ...uint64) random {
	h := uint64(0x9E3779B97F4A7C15)
	for _, s := range salt {
		h = (h ^ s) * 0xBF58476D1CE4E5B9
		h ^= h >> 29
	}
	return random{rand.NewPCG(seed, h)}
}

// intn returns a number from 0 to n-1.
func (r random) intn(n int) int {
	hi, _ := bits.Mul64(r.pcg.Uint64(), uint64(n))
	return int(hi)
}

// chance is true in n of 1000 cases.
func (r random) chance(n int) bool { return r.intn(1000) < n }

// shuffle mixes a list.
func shuffle[T any](r random, list []T) {
	for i := len(list) - 1; i > 0; i-- {
		j := r.intn(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}

func pick[T any](r random, list []T) T { return list[r.intn(len(list))] }
