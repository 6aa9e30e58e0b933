package escada_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ictmedia/schoolmail/escada"
)

// What is taken for a mail address at the first look is one at the second.
func TestPlainMailIsMail(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	plain := 0
	for range 300_000 {
		text := make([]byte, 1+r.IntN(10))
		for i := range text {
			text[i] = `aB9.-_+@@.a0" ,;é`[r.IntN(18)]
		}
		quick, good := escada.ValidMail(text)
		if quick && !good {
			t.Errorf("%q is taken for an address", text)
		}
		if quick {
			plain++
		}
	}
	if plain == 0 {
		t.Error("no address was plain")
	}
	for _, text := range []string{"anna.meier@example.org", "a+b_c-d@schule-x.example.ch"} {
		if quick, good := escada.ValidMail([]byte(text)); !quick || !good {
			t.Errorf("%s: %v, %v", text, quick, good)
		}
	}
}

// What was converted twice is known by all its characters.
func TestDoubleEncodedInSoManyWords(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	letters := []rune("aÃÂ¼¤©éüôõÿŸ€œ–ł")
	found := 0
	for range 200_000 {
		text := make([]rune, r.IntN(7))
		for i := range text {
			text[i] = letters[r.IntN(len(letters))]
		}
		taken, is := escada.DoubleEncoded(string(text))
		if taken != is {
			t.Errorf("%q: %v", string(text), taken)
		}
		if is {
			found++
		}
	}
	if found == 0 {
		t.Error("none was found")
	}
}
