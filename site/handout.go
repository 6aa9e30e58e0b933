package site

import (
	"bytes"
	"cmp"
	_ "embed" // for letter.html.tmpl
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// HandOut says how the initial passwords of new accounts are given to the schools.
type HandOut struct {
	// Keys are public keys of age by school, each as [age.ParseRecipients] reads it:
	// what a school gets is encrypted to its key. Key is for schools without one;
	// empty: they get files in the clear.
	Keys map[schoolmail.SchoolID]string
	Key  string
	// Letters are wanted beside the lists: a page for each person, to be printed.
	Letters bool
	// Change says in the letters that the password must be changed at the first log-in.
	Change bool
}

// passwordFiles says whose passwords are in files that are not taken apart, so that
// these can be deleted when one of them is purged.
const passwordFiles = "password-files.json"

// give writes what a school gets for new accounts. Lists in the clear are added to;
// everything else is a file of its own for each time.
func (p *passwords) give(school schoolmail.SchoolID, rows []preparedPassword) error {
	to, err := p.out.recipients(school)
	if err != nil {
		return err
	}
	list := filepath.Join(p.dir, fileName(school))
	if len(to) == 0 {
		err = appendPasswords(list, rows)
	} else {
		var b bytes.Buffer
		if err = writePasswords(&b, passwordHeader, rows); err == nil {
			err = p.whole(list, rows, to, b.Bytes())
		}
	}
	if err == nil && p.out.Letters {
		var b bytes.Buffer
		if err = p.letters(&b, rows); err == nil {
			err = p.whole(strings.TrimSuffix(list, ".csv")+".html", rows, to, b.Bytes())
		}
	}
	return err
}

// recipients are who can read what a school gets; nobody: everybody who has the file.
func (h *HandOut) recipients(school schoolmail.SchoolID) ([]age.Recipient, error) {
	key := cmp.Or(h.Keys[school], h.Key)
	if key == "" {
		return nil, nil
	}
	to, err := age.ParseRecipients(strings.NewReader(key))
	if err != nil {
		return nil, fmt.Errorf("key of school %s: %w", school, err)
	}
	return to, nil
}

// whole writes a file that is there once, named by the day, and remembers first
// whose passwords are in it.
func (p *passwords) whole(like string, rows []preparedPassword, to []age.Recipient, data []byte) error {
	if len(to) > 0 {
		var b bytes.Buffer
		w, err := age.Encrypt(&b, to...)
		if err == nil {
			_, err = w.Write(data)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return err
		}
		data = b.Bytes()
	}
	ext := filepath.Ext(like)
	base := strings.TrimSuffix(like, ext) + "-" + schoolmail.DateOf(time.Now()).String()
	if len(to) > 0 {
		ext += ".age"
	}
	file := base + ext
	for n := 2; exists(file); n++ {
		file = fmt.Sprintf("%s-%d%s", base, n, ext)
	}
	index, err := p.index()
	if err != nil {
		return err
	}
	for _, r := range rows {
		index[filepath.Base(file)] = append(index[filepath.Base(file)], r.Username)
	}
	if err := p.saveIndex(index); err != nil {
		return err
	}
	return atomicfile.WriteBytes(file, atomicfile.Private, data)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func (p *passwords) index() (map[string][]string, error) {
	index := map[string][]string{}
	b, err := os.ReadFile(filepath.Join(filepath.Dir(p.file), passwordFiles))
	if errors.Is(err, fs.ErrNotExist) {
		return index, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	return index, err
}

func (p *passwords) saveIndex(index map[string][]string) error {
	return atomicfile.Write(filepath.Join(filepath.Dir(p.file), passwordFiles), atomicfile.Private,
		func(w io.Writer) error { return json.NewEncoder(w).Encode(index) })
}

// withoutFiles deletes the files that are not taken apart in which somebody stands,
// and forgets those that are gone.
func (p *passwords) withoutFiles(gone func(username string) bool) error {
	index, err := p.index()
	if err != nil || len(index) == 0 {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(index)) {
		file := filepath.Join(p.dir, filepath.Base(name))
		found := false
		for _, username := range index[name] {
			found = gone(username) || found
		}
		if found {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if !exists(file) {
			delete(index, name)
		}
	}
	return p.saveIndex(index)
}

//go:embed letter.html.tmpl
var letterText string

var letterTemplate = template.Must(template.New("letters").Parse(letterText))

// letterWords are what a letter says in a language.
type letterWords struct {
	Lang, Title, Class, User, Mail, Password, Hint, Change string
}

var letterLanguages = map[string]letterWords{
	"de": {"de", "Ihr Schulkonto", "Klasse", "Benutzername", "Mailadresse", "Passwort",
		"Dieses Blatt ist persönlich. Bitte nach dem ersten Anmelden vernichten.",
		"Beim ersten Anmelden muss ein neues Passwort gewählt werden."},
	"fr": {"fr", "Votre compte scolaire", "Classe", "Nom d'utilisateur", "Adresse e-mail", "Mot de passe",
		"Cette feuille est personnelle. Prière de la détruire après la première connexion.",
		"Un nouveau mot de passe doit être choisi lors de la première connexion."},
	"it": {"it", "Il suo account scolastico", "Classe", "Nome utente", "Indirizzo e-mail", "Password",
		"Questo foglio è personale. La preghiamo di distruggerlo dopo il primo accesso.",
		"Al primo accesso bisogna scegliere una nuova password."},
	"en": {"en", "Your school account", "Class", "User name", "Mail address", "Password",
		"This sheet is personal. Please destroy it after the first log-in.",
		"A new password must be chosen at the first log-in."},
}

// letters writes a page for each person, in their language.
func (p *passwords) letters(w io.Writer, rows []preparedPassword) error {
	type letter struct {
		preparedPassword
		Words  letterWords
		Change bool
	}
	list := make([]letter, len(rows))
	for i, r := range rows {
		words, ok := letterLanguages[cmp.Or(r.Language, p.language)]
		if !ok {
			words = letterLanguages["de"]
		}
		list[i] = letter{r, words, p.out.Change}
	}
	return letterTemplate.Execute(w, map[string]any{"Site": p.site, "Letters": list})
}
