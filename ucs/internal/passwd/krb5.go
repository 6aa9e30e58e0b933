package passwd

import (
	"crypto/aes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
)

// The encryption types of a Kerberos key, RFC 3962 and RFC 4757.
const (
	AES128 = 17
	AES256 = 18
	RC4    = 23
)

// kerberos is n-fold("kerberos") to 128 bits, RFC 3961 section 5.1: the
// constant of string-to-key.
var kerberos = [16]byte{0x6b, 0x65, 0x72, 0x62, 0x65, 0x72, 0x6f, 0x73, 0x7b, 0x9b, 0x5b, 0x2b, 0x93, 0x13, 0x2b, 0x93}

// StringToKey is the string-to-key function of RFC 3962 for an AES key of 16
// or 32 bytes. Kerberos uses 4096 iterations.
func StringToKey(password, salt string, iterations, size int) ([]byte, error) {
	k, err := pbkdf2.Key(sha1.New, password, []byte(salt), iterations, size)
	if err != nil {
		return nil, err
	}
	return derive(k)
}

// derive is DK(key, "kerberos") of RFC 3961: for AES with a constant of one
// block, repeated encryption of that block.
func derive(k []byte) ([]byte, error) {
	c, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	var out []byte
	block := kerberos
	for len(out) < len(k) {
		c.Encrypt(block[:], block[:])
		out = append(out, block[:]...)
	}
	return out, nil
}

// hdbKey is the type Key of Heimdal's database, which attribute krb5Key holds.
type hdbKey struct {
	Key  encryptionKey `asn1:"explicit,tag:1"`
	Salt hdbSalt       `asn1:"explicit,tag:2"`
}

type encryptionKey struct {
	Type  int    `asn1:"explicit,tag:0"`
	Value []byte `asn1:"explicit,tag:1"`
}

type hdbSalt struct {
	Type int    `asn1:"explicit,tag:0"` // 3: pw-salt
	Salt []byte `asn1:"explicit,tag:1"`
}

// Keys returns the krb5Key values of a password: AES-256, AES-128 and RC4,
// salted with realm and name as Kerberos does by default.
func Keys(password, realm, name string) ([]string, error) {
	salt := realm + name
	// Both AES keys begin with the same derivation.
	long, err := pbkdf2.Key(sha1.New, password, []byte(salt), 4096, 32)
	if err != nil {
		return nil, err
	}
	aes256, err := derive(long)
	if err != nil {
		return nil, err
	}
	aes128, err := derive(long[:16])
	if err != nil {
		return nil, err
	}
	nt, err := hex.DecodeString(NT(password))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, k := range []encryptionKey{{AES256, aes256}, {AES128, aes128}, {RC4, nt}} {
		der, err := asn1.Marshal(hdbKey{k, hdbSalt{3, []byte(salt)}})
		if err != nil {
			return nil, fmt.Errorf("kerberos key: %w", err)
		}
		out = append(out, string(der))
	}
	return out, nil
}
