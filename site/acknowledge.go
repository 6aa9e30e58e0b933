package site

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// explanation says to the school administration what is wrong, or what was
// done, in its languages. %s stands for the title of the column.
type explanation struct{ de, fr string }

var mistakes = map[schoolmail.RejectionKind]explanation{
	schoolmail.RejectedUnreadable: {"Die Zeile ist nicht lesbar (Anzahl Felder, Anführungszeichen oder " +
		"abgeschnitten).",
		"La ligne est illisible (nombre de champs, guillemets ou ligne tronquée)."},
	schoolmail.RejectedMissing: {"Das Feld «%s» ist leer.", "Le champ «%s» est vide."},
	schoolmail.RejectedValue: {"Das Feld «%s» hat nicht die vereinbarte Form.",
		"Le champ «%s» n'a pas la forme convenue."},
	schoolmail.RejectedLettersLost: {"Im Feld «%s» gingen Buchstaben verloren (falsche Zeichenkodierung).",
		"Le champ «%s» a perdu des lettres (mauvais encodage)."},
	schoolmail.RejectedContradiction: {"Das Feld «%s» widerspricht einer anderen Zeile derselben Person.",
		"Le champ «%s» contredit une autre ligne de la même personne."},
	schoolmail.RejectedDoubleID: {"Diese Id steht für zwei Personen, oder zwei Ids unterscheiden sich nur in " +
		"Gross- und Kleinschreibung.",
		"Cet identifiant désigne deux personnes, ou deux identifiants ne diffèrent que par la casse."},
	schoolmail.RejectedReference: {"Die Zeile verweist auf einen Datensatz, der in der Lieferung fehlt.",
		"La ligne renvoie à un enregistrement qui manque dans la livraison."},
	schoolmail.RejectedForeign: {"Diese Quelle ist für die Schule oder die Rolle der Person nicht zuständig; " +
		"der Datensatz bleibt liegen.",
		"Cette source n'est pas compétente pour l'école ou le rôle de la personne; l'enregistrement est laissé " +
			"de côté."},
	schoolmail.RejectedRepeat: {"Die Zeile steht zweimal da; sie gilt einmal.",
		"La ligne figure deux fois; elle compte une fois."},
	"": {"Die Zeile enthält einen Fehler.", "La ligne contient une erreur."},
}

// findings are those that concern what was delivered.
var findings = map[string]explanation{
	"double-record": {"Zwei Datensätze unterscheiden sich nur in der Gross- und Kleinschreibung der Id; beide " +
		"bleiben liegen.",
		"Deux enregistrements ne diffèrent que par la casse de l'identifiant; les deux sont laissés de côté."},
	"record-case": {"Die Id kam bisher in anderer Gross- und Kleinschreibung; der Datensatz bleibt liegen.",
		"L'identifiant avait jusqu'ici une autre casse; l'enregistrement est laissé de côté."},
	"unusable-record": {"Rolle oder Name fehlt; der Datensatz bleibt liegen.",
		"Le rôle ou le nom manque; l'enregistrement est laissé de côté."},
	"no-population": {"Für diese Rolle an dieser Schule und Stufe ist kein Konto vorgesehen; der Datensatz " +
		"bleibt liegen.",
		"Aucun compte n'est prévu pour ce rôle dans cette école et à ce degré; l'enregistrement est laissé " +
			"de côté."},
	"other-person": {"Diese Id stand bisher für jemand anderen; nichts wurde geändert. Ist es dieselbe " +
		"Person, bitte bestätigen, sonst die Id berichtigen.",
		"Cet identifiant désignait jusqu'ici quelqu'un d'autre; rien n'a été modifié. S'il s'agit de la même " +
			"personne, prière de confirmer, sinon de corriger l'identifiant."},
	"new-id": {"Diese neue Id gehört wahrscheinlich zu einer Person, die bisher eine andere hatte; sie bleibt " +
		"liegen. Bitte prüfen.",
		"Ce nouvel identifiant appartient probablement à une personne qui en avait un autre; il est laissé de " +
			"côté. Prière de vérifier."},
	"double-person": {"Zwei Datensätze sehen nach einer Person aus; der zweite bleibt liegen. Bitte prüfen.",
		"Deux enregistrements semblent désigner une seule personne; le second est laissé de côté. Prière de " +
			"vérifier."},
	"double-account": {"Zwei Konten haben diese Id; beide bleiben, wie sie sind.",
		"Deux comptes ont cet identifiant; les deux restent inchangés."},
	"no-address": {"Das Konto hat keine Mailadresse; es bleibt, wie es ist.",
		"Le compte n'a pas d'adresse; il reste inchangé."},
	"move-suspended": {"Der Wechsel wartet, bis die Lieferung der Schule wieder vollständig ist.",
		"Le transfert attend que la livraison de l'école soit de nouveau complète."},
	"school-not-delivered": {"Diese Schule liefert viel weniger Personen als bisher; niemand von ihr gilt als " +
		"ausgetreten. Bitte prüfen.",
		"Cette école livre beaucoup moins de personnes qu'avant; personne n'y est considéré comme parti. Prière " +
			"de vérifier."},
	"no-spelling": {"Aus dem Namen lässt sich kein Benutzername bilden; bitte eine Schreibweise von a bis z " +
		"angeben.",
		"Aucun nom d'utilisateur ne peut être formé du nom; prière d'indiquer une écriture en lettres latines."},
	"new-school": {"Diese Schule ist nicht bekannt; ihre Personen warten auf die Informatik. Ist der Code " +
		"richtig?",
		"Cette école n'est pas connue; ses personnes attendent le service informatique. Le code est-il juste?"},
	"unknown-columns": {"Die Lieferung hat Spalten, die nicht vereinbart sind; sie werden nicht gelesen.",
		"La livraison comporte des colonnes qui n'ont pas été convenues; elles ne sont pas lues."},
	"source-suspended": {"Eine der Quellen fehlt oder ist unvollständig; niemand von ihr gilt als ausgetreten.",
		"Une des sources manque ou est incomplète; personne n'y est considéré comme parti."},
	"incomplete-delivery": {"Die Lieferung ist unvollständig; niemand, der fehlt, gilt als ausgetreten.",
		"La livraison est incomplète; aucune personne manquante n'est considérée comme partie."},
}

var (
	heldBack = explanation{"Zurückgehalten, weil auf einmal ungewöhnlich viel ändern würde; bitte prüfen und " +
		"der Informatik bestätigen.",
		"Retenu, parce qu'un nombre inhabituel de changements arriverait à la fois; prière de vérifier et de " +
			"confirmer au service informatique."}
	waits = explanation{"Noch nicht ausgeführt; die Informatik sorgt dafür.",
		"Pas encore exécuté; le service informatique s'en occupe."}
	// absent is for people who were not sent at all.
	absent = explanation{"Fehlt in der Lieferung, gilt aber vorläufig nicht als ausgetreten; bitte prüfen.",
		"Manque dans la livraison, mais n'est pas considéré comme parti pour le moment; prière de vérifier."}
	failed = explanation{"Konnte nicht ausgeführt werden; die Informatik kümmert sich darum.",
		"N'a pas pu être exécuté; le service informatique s'en occupe."}
)

// acknowledgement is what the school administration is told about its delivery:
// a line for each record, or row without an id, that was not taken as it was sent.
type acknowledgement struct {
	lines []*ackLine
	index map[string]*ackLine
}

// ackLine has what several mistakes of a record have to say, each once.
type ackLine struct {
	where, id, school, de, fr, detail []string
}

// note adds to the line of a record; where there is no id, to the line called other.
func (a *acknowledgement) note(key schoolmail.RecordKey, other, where string, school schoolmail.SchoolID,
	e explanation, column, detail string) {
	if key.ID != "" {
		other = "record " + key.String()
	}
	l := a.index[other]
	if l == nil {
		l = &ackLine{}
		a.index[other] = l
		a.lines = append(a.lines, l)
	}
	add := func(list *[]string, s string) {
		if s = strings.ReplaceAll(s, "%s", column); s != "" && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	add(&l.where, where)
	add(&l.id, key.ID)
	add(&l.school, string(school))
	add(&l.de, e.de)
	add(&l.fr, e.fr)
	add(&l.detail, detail)
}

func acknowledge(d *schoolmail.Delivery, p *schoolmail.Plan, r *schoolmail.Result) *acknowledgement {
	a := &acknowledgement{index: map[string]*ackLine{}}
	for _, x := range d.Rejected {
		e, ok := mistakes[x.Kind]
		if !ok {
			e = mistakes[""]
		}
		row := schoolmail.Position{File: x.File, Line: x.Line}.String()
		a.note(x.Key, row, row, x.School, e, x.Column, x.Reason)
	}
	for _, f := range p.Findings {
		if e, ok := findings[f.Kind]; ok {
			a.note(f.Key, f.Kind+" "+string(f.School), "", f.School, e, "", f.Text)
		}
	}
	for _, h := range p.Held {
		e := waits
		switch k := h.Step.Kind(); {
		case h.Step.Key.ID == "", k == schoolmail.KindDeactivate, k == schoolmail.KindPurge, k == schoolmail.KindDropCopy:
			continue // not about what was sent
		case k == schoolmail.KindNotice:
			e = absent
		case h.Guard != "":
			e = heldBack
		}
		a.note(h.Step.Key, "", "", h.Step.School, e, "", string(h.Step.Kind())+": "+h.Why)
	}
	if r == nil {
		return a
	}
	for i, o := range r.Outcomes {
		// What was skipped waits for another step of the same person, or for the next run.
		if s := p.Steps[i]; o.Status == schoolmail.StatusFailed && s.Key.ID != "" {
			a.note(s.Key, "", "", s.School, failed, "", string(s.Kind())+": "+string(o.Status))
		}
	}
	return a
}

// refuse is the acknowledgement of a delivery that cannot be used at all; nil
// if the error is not about the delivery.
func refuse(err error) *acknowledgement {
	errs, ok := errors.AsType[escada.Errors](err)
	if !ok {
		return nil
	}
	a := &acknowledgement{index: map[string]*ackLine{}}
	for i, e := range errs {
		de, fr := e.Kind.Words()
		a.note(schoolmail.RecordKey{}, strconv.Itoa(i), e.Position.String(), "", explanation{de, fr}, "", e.Error())
	}
	return a
}

// bySchool are the parts of an acknowledgement that concern one school each. Details
// are left out: they may tell of other schools.
func (a *acknowledgement) bySchool() map[string]*acknowledgement {
	parts := map[string]*acknowledgement{}
	for _, l := range a.lines {
		for _, s := range l.school {
			if parts[s] == nil {
				parts[s] = &acknowledgement{}
			}
			own := *l
			own.school, own.detail = []string{s}, nil
			parts[s].lines = append(parts[s].lines, &own)
		}
	}
	return parts
}

// write writes CSV as the administration's spreadsheets read it: semicolons,
// UTF-8 with a byte order mark. Without anything to tell there is the header
// alone: the delivery was taken as it was sent.
func (a *acknowledgement) write(out io.Writer) error {
	if _, err := io.WriteString(out, "\ufeff"); err != nil {
		return err
	}
	w := csv.NewWriter(out)
	w.Comma, w.UseCRLF = ';', true
	rows := [][]string{{"Stelle", "PersonId", "Schule", "Meldung", "Message", "Detail"}}
	for _, l := range a.lines {
		var row []string
		for _, list := range [][]string{l.where, l.id, l.school, l.de, l.fr, l.detail} {
			row = append(row, harmless(strings.Join(list, " / ")))
		}
		rows = append(rows, row)
	}
	return w.WriteAll(rows)
}
