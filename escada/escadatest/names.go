package escadatest

import "strings"

// culture is a group of names that go together.
type culture struct {
	weight   int // per thousand of the people
	language string
	given    []string
	family   []string
}

func words(s string) []string { return strings.Fields(s) }

// phrases splits at commas, for names with spaces.
func phrases(s string) []string {
	list := strings.Split(strings.ReplaceAll(s, "\n", " "), ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// cultures is a function, not a variable, so that nothing is built at program start.
func cultures() []culture {
	return []culture{
		{430, "de", words(`Anna Leon Mia Noah Lena Luca Lea Elias Laura Jonas Sara Tim Elin Finn Lara Nico Nina Jan
			Julia Levin
			Sophie Matteo Emma David Alina Simon Lina Fabian Selina Samuel Jana Raphael Livia Dominik Céline Lukas
			Zoë Andreas Chiara Reto Ladina Gian Ursina Beat Regula Urs Vreni Köbi Käthi Jürg Röbi Björn Sören Jörg
			Günther Maël Aurélie Loïs Flurina Andri Nora Ben Ella Louis Mila Julian Elena Nils Alessia Robin Amelie
			Aaron Jael Till Ronja Marlon Svenja Yannick Tabea Silvan Malin Remo Nadine Pascal Corinne Patrick Melanie
			Marcel Sandra Thomas Claudia Markus Barbara Daniel Monika Peter Ruth Hans Elisabeth Walter Ursula Werner
			Rosmarie Kurt Silvia Bruno Esther Rolf Brigitte Heinz Doris Stefan Christine Roger Karin Adrian Manuela
			Philipp Franziska Matthias Eveline Christoph Jacqueline Florian Stefanie Benjamin Rebekka Tobias Deborah
			Manuel Seraina Curdin Ladina Gianna Mauro Fadri Lorin Mattia Lionel Milena Elia Moritz Johanna Valentin
			Charlotte Kilian Leonie Severin Nela Cyrill Joëlle Jérôme Noëmi Loïc Salomé Ännchen Götz Hansjörg Bärbel
			Jürgen Rösli Säm Trüdi Jöggi Änni`),
			phrases(`Müller, Meier, Schmid, Keller, Weber, Huber, Schneider, Meyer, Steiner, Fischer, Gerber, Brunner,
			Baumann, Frei, Zimmermann, Moser, Widmer, Wyss, Graf, Roth, Suter, Baumgartner, Bühler, Kälin,
			Künzli, Lüthi, Rüegg, Hürlimann, Zürcher, Bösch, Schärer, Hänni, Gäumann, Böhlen, Tschäppät,
			Aebischer, Kohler, Bigler, Hofstetter, Schwarz, Zaugg, Liechti, Ramseier, Stucki, Jöhr, Nägeli,
			Rüfenacht, von Arx, von Känel, von Gunten, Zum Stein, Von der Mühll, Ab Egg, Im Obersteg, Strauß,
			Weiß, Öztürk-Aebi, Imboden, Zgraggen, Inäbnit, Hofer, Lehmann, Lüscher, Marti, Kunz, Egli, Bachmann,
			Ammann, Stettler, Burri, Kaufmann, Küng, Sutter, Peter, Studer, Arnold, Gasser, Flury, Bieri, Hess,
			Portmann, Zemp, Sommer, Jost, Leuenberger, Wenger, Beyeler, Rüedi, Aeschlimann, Althaus, Amstutz,
			Beutler, Bärtschi, Blaser, Brügger, Bürgi, Burkhalter, Christen, Dürst, Dubach, Eggimann,
			Eichenberger, Fankhauser, Feuz, Flückiger, Friedli, Frutiger, Furrer, Gfeller, Glauser,
			Grossenbacher, Grünig, Gurtner, Hadorn, Haldemann, Hirschi, Hostettler, Hubacher, Iseli, Jaggi, Jaun,
			Jenni, Joss, Kiener, Kläy, Knutti, König, Krähenbühl, Krebs, Kummer, Kurth, Läderach, Lanz, Lauener,
			Linder, Locher, Lörtscher, Mäder, Mani, Messerli, Michel, Mühlemann, Münger, Neuenschwander,
			Niederhauser, Nydegger, Oberli, Pfister, Pulver, Räz, Reber, Reusser, Riesen, Ritschard,
			Röthlisberger, Rohrbach, Rolli, Ryter, Salzmann, Santschi, Schaad, Schären, Scheidegger, Scherrer,
			Schläppi, Schlüchter, Schönholzer, Schüpbach, Schürch, Siegenthaler, Sigrist, Spycher, Stähli,
			Stalder, Stauffer, Streit, Tanner, Thommen, Trachsel, Tschanz, Uetz, Ueltschi, Vögeli, Wälchli,
			Wälti, Wäfler, Wüthrich, Würgler, Zahnd, Zbinden, Zehnder, Zeller, Zingg, Zumbrunn, Zürrer, Zwahlen,
			Zwygart, Camenisch, Caduff, Cathomas, Derungs, Tuor, Bundi, Decurtins, Alig, Arquint`)},
		{160, "fr", phrases(`Léa, Louis, Chloé, Hugo, Manon, Théo, Inès, Noé, Zoé, Gaëlle, Loïc, Anaïs, Éloïse, Émile, Benoît,
			Hélène, François, Françoise, Jérôme, Mélanie, Cédric, Séverine, Aurélien, Océane, Maëlys, Raphaël,
			Joël, Noëlle, Jean-Pierre, Marie-Claude, Anne-Sophie, Jean-Luc, Lou, Yaël, Lucas, Emma, Nathan,
			Camille, Arthur, Juliette, Gabriel, Alice, Maxime, Clara, Antoine, Margaux, Baptiste, Pauline,
			Romain, Charlotte, Valentin, Mathilde, Quentin, Julie, Nicolas, Marion, Guillaume, Céline, Sébastien,
			Valérie, Frédéric, Stéphanie, Grégoire, Bénédicte, Éric, Agnès, Gérald, Thérèse, Rémi, Solène, Timéo,
			Maëva, Léon, Élise, Axel, Coralie, Killian, Apolline, Bastien, Lorène`),
			phrases(`Rochat, Favre, Dubois, Perret, Blanc, Bovet, Jaquet, Rey, Monnier, Girard, Bérard, Béguelin,
			Péquignot, Crétin, Théraulaz, Châtelain, Maître, Besançon, Lefèvre, Prévôt, D'Arcy, L'Eplattenier,
			de Weck, de la Harpe, du Pasquier, Cœur, Gagnebin, Évéquoz, Grosjean, Çelik-Favre, Aubert, Badoux,
			Barbey, Berger, Berthoud, Bolomey, Bonvin, Borgeaud, Bourquin, Chappuis, Chevalley, Cornu, Cuendet,
			Darbellay, Décosterd, Delacrétaz, Desmeules, Dutoit, Emery, Fardel, Fournier, Gaillard, Genoud,
			Gilliéron, Golay, Guex, Huguenin, Jaccard, Jeanneret, Junod, Lambelet, Magnin, Mermoud, Métraux,
			Meylan, Michaud, Moret, Mottier, Nicollier, Oberson, Pache, Pittet, Python, Ramuz, Reymond, Rochaix,
			Roulin, Savoy, Thévoz, Tissot, Vallotton, Vuilleumier, Wicht, Zufferey`)},
		{80, "it", phrases(`Giulia, Matteo, Sofia, Lorenzo, Alessia, Davide, Chiara, Niccolò, Elìa, Noemi, Gioele, Aurora,
			Nicolò, Luisa, Gianluca, Maria Grazia, Giosuè, Leonardo, Martina, Alessandro, Elisa, Simone,
			Federica, Andrea, Valentina, Tommaso, Greta, Edoardo, Viola, Samuele, Ilaria, Riccardo, Camilla,
			Filippo, Serena, Enea, Nora, Diego, Bianca, Pietro, Desirée`),
			phrases(`Bernasconi, Rossi, Ferrari, Bianchi, Fontana, Galli, D'Angelo, D'Amico, Dell'Acqua, Dall'Ò, De Luca,
			Di Stefano, Della Torre, Caprì, Lo Presti, Pedrazzini, Nicolò, Ambrosini, Bassetti, Beretta,
			Bernardi, Bettosini, Bianda, Cattaneo, Cavadini, Colombo, Conti, Crivelli, Delcò, Ferrario, Foletti,
			Gianinazzi, Giudici, Lepori, Maggi, Martinoli, Mazzola, Molteni, Monti, Morandi, Pellandini,
			Piffaretti, Quadri, Regazzoni, Rezzonico, Riva, Robbiani, Rusca, Sala, Solari, Tettamanti,
			Valsangiacomo, Zanetti`)},
		{80, "de", words(`Arta Arben Blerta Besnik Drita Dardan Ëndrita Edona Fatlum Flutra Gëzim Ilir Kaltrina Liridon Mërgim
			Njomza Përparim Rinor Shpëtim Valdrin Yllka Zamir Albulena Agron Besa Burim Diellza Driton Era Endrit
			Fjolla Granit Hana Leart Lirie Luan Mimoza Rina Shkëlqim Teuta Uran Vlora Zana`),
			words(`Krasniqi Gashi Berisha Hoxha Shala Morina Bytyçi Kelmendi Rexhepi Zeqiri Ahmeti Çollaku Dërmaku Hyseni
			Mehmeti Ramadani Gjoni Xhaka Osmani Veseli Aliu Bajrami Beqiri Bislimi Demaj Elezi Fetahu Haliti Ibrahimi
			Islami Jashari Kastrati Kryeziu Latifi Limani Maliqi Mustafa Musliu Neziri Pllana Qerimi Rama Sadiku
			Salihu Selimi Shabani Sopi Thaçi Ukaj Zogaj`)},
		{60, "de", phrases(`João, Inês, Tomás, Beatriz, Gonçalo, Conceição, Simão, Lúcia, Antónia, Luís, Maria do Carmo,
			Sebastião, Vitória, André, Mónica, Zé, Diogo, Rafaela, Tiago, Mariana, Rúben, Leonor, Duarte, Joana,
			Nélson, Catarina, Vasco, Sónia, Hélder, Patrícia, Márcio, Cláudia, Fábio, Vânia`),
			phrases(`da Silva, dos Santos, Ferreira, Gonçalves, Conceição, Simões, Araújo, Guimarães, Magalhães, Leitão,
			Sá, Brandão, da Conceição Rodrigues, de Oliveira, Mendonça, Falcão, Assunção, Almeida, Alves,
			Antunes, Baptista, Cardoso, Carvalho, Coelho, Correia, Costa, Cunha, Dias, Esteves, Fernandes,
			Figueiredo, Fonseca, Freitas, Lopes, Marques, Martins, Matos, Monteiro, Moreira, Neves, Nogueira,
			Nunes, Pereira, Pinto, Ramos, Ribeiro, Rocha, Sequeira, Tavares, Teixeira, Vieira`)},
		{50, "de", words(`Abinaya Kavin Dhanushka Thirukumaran Sivakumar Anushiya Janani Kirushanthan Nilani Pirathap Sahana
			Tharsika Vithursan Yathavi Aathavan Abarna Arun Bavithra Dilaksan Gajan Harini Ishan Kajan Keerthana
			Laksmi Mathusha Nirosh Oviya Piranavan Raveena Sujan Thanusha Vaishnavi Yalini`),
			words(`Sivasubramaniam Thirunavukkarasu Balasubramaniam Selvarajah Kanagaratnam Nadarajah Rajaratnam Yogeswaran
			Vigneswaran Mahendran Arulanantham Sathiyamoorthy Paramanathan Kandiah Jeyakumar Sivapalan Thambirajah
			Ratnasingam Kugathasan Ponnampalam Sinnathurai Kathirgamanathan Thillainathan Uthayakumar Packiyanathan
			Shanmugalingam Visvanathan Tharmalingam Krishnapillai Muthulingam Gnanasekaran Navaratnam Sritharan`)},
		{60, "de", words(`Dragan Jelena Željko Đurđica Nemanja Šejla Miloš Snežana Mirjana Stefan Aleksandar Čedo
			Ivana Dženana
			Emina Haris Selma Luka Marija Nikola Ana Marko Teodora Filip Jovana Lazar Milica Vuk Katarina Amar Lejla
			Adnan Amina Tarik Merjem Goran Slađana Zoran Ljubica Damir Sanja`),
			words(`Petrović Jovanović Nikolić Đorđević Stanković Kovačević Živković Hadžić Šarić Čolić Mujanović Begić
			Vukašinović Radić Babić Ćosić Ilić Marković Pavlović Popović Simić Savić Todorović Tomić Ristić Milošević
			Lukić Horvat Marić Jurić Perić Knežević Vuković Božić Blažević Halilović Delić Softić Mehmedović Omerović
			Husić Karić Imamović`)},
		{40, "de", words(`Ayşe Emre Elif Yiğit Çağla Gökhan Özlem Uğur Şeyma İbrahim Doğan Ebru Gülşen Kağan Ilgın
			Mehmet Zeynep
			Mustafa Defne Ali Azra Hüseyin Esra Murat Büşra Kerem Merve Onur Sıla Tuğba Volkan Nazlı Barış`),
			words(`Yılmaz Öztürk Şahin Çelik Kılıç Aydın Güneş Erdoğan Çağlar Şimşek Yıldız Koç Ağaoğlu Kaya Demir Doğan
			Arslan Polat Özdemir Kaplan Aksoy Karaca Bulut Tekin Ünal Özkan Turan Güler Çakır Eren Tunç`)},
		{20, "de", phrases(`Selam, Yohannes, Miriam, Abel, Bereket, Feven, Kidane, Senait, Filmon, Luwam, Awet, O`),
			phrases(`Tesfay, Gebremedhin, Haile, Tekle, Woldemichael, Ghebreyesus, Habtemariam, O, Nguyễn, Ng, N'Diaye,
			O'Brien, Al-Hassan`)},
		{20, "en", phrases(`Aino, Åsa, Søren, Łucja, Jiří, Zsófia, Gergő, Ștefan, Ieva, Matěj, Małgorzata, Núria,
			Iñaki, Begoña,
			Ólafur`),
			phrases(`Ångström, Sørensen, Wałęsa, Dvořák, Szabó, Kőrösi, Ionescu, Kļaviņš, Núñez, Ibáñez de la Cruz,
			Þórsdóttir, Müller-Núñez, García Márquez, Ruiz y Picasso`)},
	}
}

// Parts of school names.
var (
	placeHeads = words(`Birken Linden Eichen Buchen Rosen Sonnen Berg See Wiesen Mühle Kirch Feld Stein Brunn
			Hasel Tannen Ahorn
			Erlen Linth Schloss Markt Reb Korn Lerchen Amsel`)
	placeTails = words(`feld hof matt berg bach au egg halde rain weg park gut moos tal platz`)
)

// name draws a given and a family name with the language of the home.
func name(r random, all []culture) (given, family, language string) {
	n := r.intn(1000)
	i := 0
	for n >= all[i].weight {
		n -= all[i].weight
		i++
	}
	c := all[i]
	given, family, language = pick(r, c.given), pick(r, c.family), c.language
	if r.chance(60) { // second given name
		sep := " "
		if r.chance(400) {
			sep = "-"
		}
		if second := pick(r, c.given); second != given {
			given += sep + second
		}
	}
	if r.chance(70) { // double family name, of any two cultures
		o := c
		if r.chance(300) {
			o = pick(r, all)
		}
		if second := pick(r, o.family); second != family {
			family += "-" + second
		}
	}
	return given, family, language
}
