package passwd

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"testing"
)

// The vectors of RFC 3962 appendix B.
func TestStringToKey(t *testing.T) {
	for _, c := range []struct {
		iterations     int
		password, salt string
		aes128, aes256 string
	}{
		{1, "password", "ATHENA.MIT.EDUraeburn", "42263c6e89f4fc28b8df68ee09799f15",
			"fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161"},
		{1200, "password", "ATHENA.MIT.EDUraeburn", "4c01cd46d632d01e6dbe230a01ed642a",
			"55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a"},
	} {
		for size, want := range map[int]string{16: c.aes128, 32: c.aes256} {
			got, err := StringToKey(c.password, c.salt, c.iterations, size)
			if err != nil || hex.EncodeToString(got) != want {
				t.Errorf("%d iterations, %d bytes: %x, %v, want %s", c.iterations, size, got, err, want)
			}
		}
	}
}

// The encoding is that of a key as UCS stores it.
func TestKeys(t *testing.T) {
	const stored = "MEWhGzAZoAMCARGhEgQQezala432na57YJ4vbB/K26ImMCSgAwIBA6EdBBtTQ0hVTEVOLkVYQU1QTEVhbm5hLm11ZWxsZXI="
	der, err := base64.StdEncoding.DecodeString(stored)
	if err != nil {
		t.Fatal(err)
	}
	var k hdbKey
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	if k.Key.Type != AES128 || len(k.Key.Value) != 16 || k.Salt.Type != 3 ||
		string(k.Salt.Salt) != "SCHULEN.EXAMPLEanna.mueller" {
		t.Errorf("key = %+v", k)
	}
	keys, err := Keys("geheim", "SCHULEN.EXAMPLE", "anna.mueller")
	if err != nil || len(keys) != 3 {
		t.Fatal(keys, err)
	}
	for i, want := range []struct{ etype, size int }{{AES256, 32}, {AES128, 16}, {RC4, 16}} {
		var got hdbKey
		if rest, err := asn1.Unmarshal([]byte(keys[i]), &got); err != nil || len(rest) > 0 || got.Key.Type != want.etype ||
			len(got.Key.Value) != want.size || string(got.Salt.Salt) != string(k.Salt.Salt) {
			t.Errorf("key %d = %+v, %v", i, got, err)
		}
		if size := want.size; want.etype != RC4 {
			direct, err := StringToKey("geheim", "SCHULEN.EXAMPLEanna.mueller", 4096, size)
			if err != nil || string(direct) != string(got.Key.Value) {
				t.Errorf("key %d differs from its own derivation", i)
			}
		}
	}
	if len(keys[1]) != len(der) {
		t.Errorf("%d bytes, a stored key has %d", len(keys[1]), len(der))
	}
}

func BenchmarkKeys(b *testing.B) {
	for b.Loop() {
		if _, err := Keys("Xy7-ooP2-rr41", "SCHULEN.EXAMPLE", "anna.mueller"); err != nil {
			b.Fatal(err)
		}
	}
}
