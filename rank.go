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
func rank(n int, text func(int32) string, then func(i, j int32) int) []ranked {
	list := make([]ranked, n)
	for i := range list {
		list[i] = ranked{prefix(text(int32(i))), int32(i)}
	}
	list = byPrefix(list)
	rankRuns(list, 8, text, func(x, y ranked) int {
		if c := strings.Compare(text(x.at), text(y.at)); c != 0 {
			return c
		}
		return cmp.Or(then(x.at, y.at), cmp.Compare(x.at, y.at))
	})
	return list
}

// rankRuns sorts the runs of one prefix of a list that is sorted by prefix. Long ones
// are sorted by the next eight bytes of their texts first, so that each text is looked
// at once for them, and not in every comparison. Prefixes of long runs are then those
// bytes.
func rankRuns(list []ranked, from int, text func(int32) string, compare func(x, y ranked) int) {
	for len(list) > 0 {
		n := headRun(list)
		run := list[:n]
		list = list[n:]
		switch {
		case n == 1:
		case n <= 12 || from > 64:
			slices.SortFunc(run, compare)
		default:
			for i := range run {
				s := text(run[i].at)
				run[i].prefix = prefix(s[min(from, len(s)):])
			}
			slices.SortFunc(run, func(x, y ranked) int { return cmp.Compare(x.prefix, y.prefix) })
			rankRuns(run, from+8, text, compare)
		}
	}
}

// byPrefix sorts by prefix alone: by each of its bytes, from the last to the first,
// without a comparison. Bytes in which all agree cost nothing. What it returns may lie
// elsewhere.
func byPrefix(list []ranked) []ranked {
	if slices.IsSortedFunc(list, func(x, y ranked) int { return cmp.Compare(x.prefix, y.prefix) }) {
		return list
	}
	var count [8][256]int32
	for i := range list {
		for b := range count {
			count[b][byte(list[i].prefix>>(8*b))]++
		}
	}
	from, to := list, make([]ranked, len(list))
	for b := range count {
		next := &count[b]
		if next[byte(list[0].prefix>>(8*b))] == int32(len(list)) {
			continue
		}
		at := int32(0)
		for c, n := range next {
			next[c], at = at, at+n
		}
		for _, r := range from {
			c := byte(r.prefix >> (8 * b))
			to[next[c]] = r
			next[c]++
		}
		from, to = to, from
	}
	return from
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

// rankFold sorts a list by ids without regard to case, with equal ones by their exact
// text, then by then and by number. The prefixes are those of foldedPrefix.
func rankFold(list []ranked, id func(int32) string, then func(i, j int32) int) []ranked {
	compare := func(x, y ranked) int {
		if x.prefix != y.prefix && (x.prefix|y.prefix)&notASCII == 0 {
			return cmp.Compare(x.prefix, y.prefix)
		}
		a, b := id(x.at), id(y.at)
		if a == b {
			return cmp.Or(then(x.at, y.at), cmp.Compare(x.at, y.at))
		}
		return cmp.Or(compareFold(a, b), strings.Compare(a, b))
	}
	var all uint64
	for i := range list {
		all |= list[i].prefix
	}
	if all&notASCII != 0 {
		slices.SortFunc(list, compare)
		return list
	}
	list = byPrefix(list)
	sortRuns(list, compare)
	return list
}

// sortRuns sorts the runs of one prefix of a list that is sorted by prefix.
func sortRuns(list []ranked, compare func(x, y ranked) int) {
	for len(list) > 0 {
		n := headRun(list)
		if n > 1 {
			slices.SortFunc(list[:n], compare)
		}
		list = list[n:]
	}
}

// headRun returns how many at the head of a list have one prefix.
func headRun(list []ranked) int {
	n := 1
	for n < len(list) && list[n].prefix == list[0].prefix {
		n++
	}
	return n
}

// notASCII are the bits that are set in a prefix with letters that are not ASCII.
const notASCII = 0x8080808080808080

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
