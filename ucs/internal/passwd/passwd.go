// Package passwd makes and checks the password hashes that a UCS directory
// stores: SHA-512 crypt ("{crypt}$6$...", what UCS itself writes), salted
// SHA-1 ("{SSHA}...", RFC 2307 style, cheap) and the NT hash of Samba.
//
// The algorithms are those of "Unix crypt using SHA-256 and SHA-512" (Ulrich
// Drepper, 2008, public domain) and of [MS-NLMP] with MD4 of RFC 1320. MD4 and
// salted SHA-1 are weak; they are here because the servers expect them.
package passwd

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf16"
)

// DefaultRounds is the number of rounds that crypt uses when none is given.
const DefaultRounds = 5000

const itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Salt turns random bytes into a salt of the crypt alphabet, one character
// for each byte.
func Salt(random []byte) string {
	b := make([]byte, len(random))
	for i, r := range random {
		b[i] = itoa64[r&63]
	}
	return string(b)
}

// Crypt returns "$6$salt$hash" or, with rounds other than 0 and
// DefaultRounds, "$6$rounds=n$salt$hash". The salt is cut at 16 characters;
// rounds are held between 1000 and 999999999.
func Crypt(password, salt string, rounds int) string {
	if i := strings.IndexByte(salt, '$'); i >= 0 {
		salt = salt[:i]
	}
	salt = salt[:min(len(salt), 16)]
	prefix := "$6$"
	if rounds == 0 {
		rounds = DefaultRounds
	} else {
		rounds = min(max(rounds, 1000), 999999999)
		if rounds != DefaultRounds {
			prefix += "rounds=" + strconv.Itoa(rounds) + "$"
		}
	}
	return prefix + salt + "$" + encode(cryptSum([]byte(password), []byte(salt), rounds))
}

func cryptSum(key, salt []byte, rounds int) [64]byte {
	h := sha512.New()
	h.Write(key)
	h.Write(salt)
	h.Write(key)
	b := h.Sum(nil)

	h.Reset()
	h.Write(key)
	h.Write(salt)
	for n := len(key); n > 0; n -= 64 {
		h.Write(b[:min(n, 64)])
	}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write(b)
		} else {
			h.Write(key)
		}
	}
	a := h.Sum(nil)

	h.Reset()
	for range key {
		h.Write(key)
	}
	p := repeat(h.Sum(nil), len(key))

	h.Reset()
	for range 16 + int(a[0]) {
		h.Write(salt)
	}
	s := repeat(h.Sum(nil), len(salt))

	var sum [64]byte
	copy(sum[:], a)
	for i := range rounds {
		h.Reset()
		if i&1 == 1 {
			h.Write(p)
		} else {
			h.Write(sum[:])
		}
		if i%3 != 0 {
			h.Write(s)
		}
		if i%7 != 0 {
			h.Write(p)
		}
		if i&1 == 1 {
			h.Write(sum[:])
		} else {
			h.Write(p)
		}
		h.Sum(sum[:0])
	}
	return sum
}

func repeat(d []byte, n int) []byte {
	return append(bytes.Repeat(d, n/len(d)), d[:n%len(d)]...)
}

// encode writes three bytes as four characters, in the algorithm's own order.
func encode(d [64]byte) string {
	out := make([]byte, 0, 86)
	put := func(w uint32, n int) {
		for range n {
			out = append(out, itoa64[w&63])
			w >>= 6
		}
	}
	i, j, k := 0, 21, 42
	for range 21 {
		put(uint32(d[i])<<16|uint32(d[j])<<8|uint32(d[k]), 4)
		i, j, k = j+1, k+1, i+1
	}
	put(uint32(d[63]), 2)
	return string(out)
}

// SSHA returns "{SSHA}base64".
func SSHA(password string, salt []byte) string {
	h := sha1.Sum(append([]byte(password), salt...))
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(h[:], salt...))
}

// Check reports whether password fits a userPassword value in one of the
// schemes {crypt} (SHA-512 only) and {SSHA}, or in clear. A hash with an
// exclamation mark in front never fits.
func Check(stored, password string) bool {
	if password == "" {
		return false
	}
	scheme, rest, ok := strings.Cut(stored, "}")
	if !ok || !strings.HasPrefix(scheme, "{") {
		return equal(stored, password)
	}
	switch strings.ToLower(scheme[1:]) {
	case "crypt":
		f := strings.Split(rest, "$")
		if len(f) < 4 || f[0] != "" || f[1] != "6" {
			return false
		}
		rounds, salt := 0, f[2]
		if r, ok := strings.CutPrefix(salt, "rounds="); ok && len(f) == 5 {
			n, err := strconv.Atoi(r)
			if err != nil || n < 0 || n > 10_000_000 {
				return false
			}
			rounds, salt = n, f[3]
		}
		return equal(Crypt(password, salt, rounds), rest)
	case "ssha":
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil || len(b) < sha1.Size {
			return false
		}
		return equal(SSHA(password, b[sha1.Size:]), "{SSHA}"+rest)
	}
	return false
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// NT returns the NT hash: MD4 over the UTF-16 little-endian password, in
// upper-case hexadecimal digits as sambaNTPassword holds it.
func NT(password string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(password)) {
		b = append(b, byte(u), byte(u>>8))
	}
	s := md4(b)
	return strings.ToUpper(hex.EncodeToString(s[:]))
}
