package passwd

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The vectors of the algorithm's specification.
func TestCrypt(t *testing.T) {
	for _, c := range []struct {
		salt     string
		rounds   int
		password string
		want     string
	}{
		{"saltstring", 0, "Hello world!",
			"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
		{"saltstringsaltstring", 10000, "Hello world!",
			"$6$rounds=10000$saltstringsaltst$OW1" +
				"/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."},
		{"toolongsaltstring", 5000, "This is just a test",
			"$6$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"},
		{"anotherlongsaltstring", 1400,
			"a very much longer text to encrypt.  This one even stretches over morethan one line.",
			"$6$rounds=1400$anotherlongsalts$POf" +
				"YwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1"},
		{"short", 77777, "we have a short salt string but not a short password",
			"$6$rounds=77777$short$WuQyW2YR.hBNpj" +
				"jRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0"},
		{"roundstoolow", 10, "the minimum number is still observed",
			"$6$rounds=1000$roundstoolow$kUMsbe3" +
				"06n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX."},
	} {
		if got := Crypt(c.password, c.salt, c.rounds); got != c.want {
			t.Errorf("Crypt(%q, %q, %d)\n got %s\nwant %s", c.password, c.salt, c.rounds, got, c.want)
		}
	}
}

// The vectors of RFC 1320 appendix A.5.
func TestMD4(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "31d6cfe0d16ae931b73c59d7e0c089c0",
		"abc":                           "a448017aaf21d8525fc10ae87aa6729d",
		strings.Repeat("1234567890", 8): "e33b4ddc9c38f2199c3e7b164fcc0536",
	} {
		s := md4([]byte(in))
		if got := hex.EncodeToString(s[:]); got != want {
			t.Errorf("md4(%q) = %s, want %s", in, got, want)
		}
	}
	if got, want := NT("password"), "8846F7EAEE8FB117AD06BDD830B7586C"; got != want {
		t.Errorf("NT = %s, want %s", got, want)
	}
}

func TestCheck(t *testing.T) {
	crypt := "{crypt}" + Crypt("geheim", "abc", 1000)
	ssha := SSHA("geheim", []byte("12345678"))
	for _, c := range []struct {
		name, stored, password string
		want                   bool
	}{
		{"crypt", crypt, "geheim", true},
		{"crypt wrong", crypt, "Geheim", false},
		{"upper-case scheme", "{CRYPT}" + crypt[7:], "geheim", true},
		{"disabled", "{crypt}!" + crypt[7:], "geheim", false},
		{"ssha", ssha, "geheim", true},
		{"ssha wrong", ssha, "geheim2", false},
		{"ssha disabled", "{SSHA}!" + ssha[6:], "geheim", false},
		{"clear", "geheim", "geheim", true},
		{"empty", "", "", false},
		{"unknown scheme", "{K5KEY}", "geheim", false},
		{"broken", "{crypt}$6$", "geheim", false},
	} {
		if got := Check(c.stored, c.password); got != c.want {
			t.Errorf("%s: Check = %v, want %v", c.name, got, c.want)
		}
	}
}

func BenchmarkCrypt(b *testing.B) {
	for b.Loop() {
		Crypt("Xy7-ooP2-rr41", "0123456789abcdef", 0)
	}
}
