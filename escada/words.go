package escada

// Words says to the school administration what is wrong, in its languages.
func (k Kind) Words() (german, french string) {
	w := kindWords[k]
	if w == [2]string{} {
		w = kindWords[""]
	}
	return w[0], w[1]
}

var kindWords = map[Kind][2]string{
	"": {"Die Lieferung ist so nicht brauchbar; nichts wurde übernommen.",
		"La livraison n'est pas utilisable ainsi; rien n'a été repris."},
	ErrNoFiles: {"Es ist keine Datei der Lieferung da.", "Aucun fichier de la livraison n'est présent."},
	ErrEmpty: {"Die Datei oder die ganze Lieferung ist leer; eine Vollieferung nennt alle Personen.",
		"Le fichier ou toute la livraison est vide; une livraison complète nomme toutes les personnes."},
	ErrMissingColumn:   {"Eine Spalte oder die Titelzeile fehlt.", "Une colonne ou la ligne de titre manque."},
	ErrDuplicateColumn: {"Eine Spalte steht zweimal da.", "Une colonne figure deux fois."},
	ErrUnknownColumn:   {"Eine Spalte ist nicht vereinbart.", "Une colonne n'est pas convenue."},
	ErrColumnsChanged: {"Die Spalten sind nicht mehr die der letzten Lieferung; bitte bestätigen.",
		"Les colonnes ne sont plus celles de la dernière livraison; prière de confirmer."},
	ErrEncoding: {"Die Zeichenkodierung der Datei ist falsch oder gemischt.",
		"L'encodage du fichier est faux ou mélangé."},
	ErrXML:       {"Die Datei ist kein vollständiges XML.", "Le fichier n'est pas un XML complet."},
	ErrContainer: {"Das Archiv ist beschädigt oder nicht zulässig.", "L'archive est endommagée ou n'est pas admise."},
	ErrNotReady: {"Die Datei wird noch geschrieben; der nächste Lauf liest sie.",
		"Le fichier est encore en cours d'écriture; la prochaine exécution le lira."},
	ErrDamaged: {"Der Inhalt der Datei stimmt nicht mit ihrer Prüfsumme überein.",
		"Le contenu du fichier ne correspond pas à sa somme de contrôle."},
	ErrOlder: {"Die Lieferung ist älter als die zuletzt übernommene.",
		"La livraison est plus ancienne que la dernière reprise."},
	ErrTooLarge: {"Die Datei ist zu gross.", "Le fichier est trop grand."},
	ErrTooManyRejected: {"Zu viele Zeilen sind nicht lesbar; nichts wurde übernommen.",
		"Trop de lignes sont illisibles; rien n'a été repris."},
	ErrUnknownCodes: {"Viele Zeilen haben Codes für Rolle oder Stufe, die nicht vereinbart sind; nichts " +
		"wurde übernommen.",
		"Beaucoup de lignes ont des codes de rôle ou de degré qui ne sont pas convenus; rien n'a été repris."},
	ErrMixedKinds: {"Voll- und Teillieferung sind vermischt.",
		"Livraison complète et livraison partielle sont mélangées."},
	ErrDuplicateFile: {"Dieselbe Datei ist zweimal da, oder eine hat eine andere überschrieben.",
		"Le même fichier est là deux fois, ou l'un a remplacé l'autre."},
	ErrProfile: {"Die Beschreibung der Lieferung in der Konfiguration ist fehlerhaft; die Informatik sorgt dafür.",
		"La description de la livraison dans la configuration est erronée; le service informatique s'en occupe."},
	ErrRecord: {"Ein Datensatz kann nicht geschrieben werden.", "Un enregistrement ne peut pas être écrit."},
}
