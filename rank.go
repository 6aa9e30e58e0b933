package schoolmail

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// ranked is an item of a list that is sorted by a text: its number, and the
// first bytes of the text, which decide most comparisons without a look at it.
type ranked struct {
	prefix uint64
	at     int32
}

// rank returns the numbers 0 to n-1 sorted by their texts; where these are equal
// by then, or by their number.
func rank(n int, text func(int) string, then func(i, j int) int) []ranked {
	list := make([]ranked, n)
	for i := range list {
		list[i] = ranked{prefix(text(i)), int32(i)}
	}
	slices.SortFunc(list, func(x, y ranked) int {
		if x.prefix != y.prefix {
			return cmp.Compare(x.prefix, y.prefix)
		}
		i, j := int(x.at), int(y.at)
		if c := strings.Compare(text(i), text(j)); c != 0 {
			return c
		}
		if then != nil {
			if c := then(i, j); c != 0 {
				return c
			}
		}
		return i - j
	})
	return list
}

// prefix returns the first eight bytes of a text as a number that sorts as they do.
func prefix(s string) uint64 {
	var p uint64
	for i := range 8 {
		p <<= 8
		if i < len(s) {
			p |= uint64(s[i])
		}
	}
	return p
}

// foldedPrefix is prefix without regard to the case of ASCII letters.
func foldedPrefix(s string) uint64 {
	var p uint64
	for i := range 8 {
		p <<= 8
		if i < len(s) {
			p |= uint64(lowerASCII(s[i]))
		}
	}
	return p
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// compareFold orders texts without regard to case, as directories match ids.
func compareFold(x, y string) int {
	for i := 0; i < len(x) && i < len(y); i++ {
		a, b := lowerASCII(x[i]), lowerASCII(y[i])
		if a >= utf8.RuneSelf || b >= utf8.RuneSelf {
			return strings.Compare(strings.ToLower(x), strings.ToLower(y))
		}
		if a != b {
			return cmp.Compare(a, b)
		}
	}
	if isASCII(x) && isASCII(y) {
		return cmp.Compare(len(x), len(y))
	}
	return strings.Compare(strings.ToLower(x), strings.ToLower(y))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// rankFold is rank by ids without regard to case, with equal ones by their exact
// text and then by number.
func rankFold(n int, id func(int) string) []ranked {
	list := make([]ranked, n)
	for i := range list {
		list[i] = ranked{foldedPrefix(id(i)), int32(i)}
	}
	slices.SortFunc(list, func(x, y ranked) int {
		if x.prefix != y.prefix && (x.prefix|y.prefix)&0x8080808080808080 == 0 {
			return cmp.Compare(x.prefix, y.prefix)
		}
		a, b := id(int(x.at)), id(int(y.at))
		if a == b {
			return cmp.Compare(x.at, y.at)
		}
		return cmp.Or(compareFold(a, b), strings.Compare(a, b))
	})
	return list
}

// parts does something for the numbers 0 to n-1 in a part per core.
func parts(n int, do func(part, from, to int)) {
	cores := min(runtime.GOMAXPROCS(0), 16)
	if n < 4096 || cores < 2 {
		do(0, 0, n)
		return
	}
	var wg sync.WaitGroup
	for c := range cores {
		wg.Go(func() { do(c, n*c/cores, n*(c+1)/cores) })
	}
	wg.Wait()
}
