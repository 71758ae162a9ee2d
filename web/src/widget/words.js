// What the widget itself says, per language. What the bot says comes from its responses, never from here.
const WORDS = {
  en: {
    open: "Open chat", close: "Close chat", title: "Chat", send: "Send", write: "Write a message", log: "Messages",
    assistant: "Automated assistant. A person is one word away.", agent: "{name} is with you", person: "A person will answer you here",
    sending: "Sending…", sent: "Sent", failed: "Not sent", retry: "Try again", offline: "No connection. Trying again…",
    refused: "The chat is not available here.", typing: "{name} is writing", someone: "Someone",
    greeting: "Hello. Tell us how it went, or ask for a person.",
    unread: { one: "{count} new message", other: "{count} new messages" }, you: "You",
  },
  tr: {
    open: "Sohbeti aç", close: "Sohbeti kapat", title: "Sohbet", send: "Gönder", write: "Bir mesaj yazın", log: "Mesajlar",
    assistant: "Otomatik asistan. İsterseniz hemen bir kişiyi çağırır.", agent: "{name} sizinle", person: "Size ekipten biri yanıt verecek",
    sending: "Gönderiliyor…", sent: "Gönderildi", failed: "Gönderilemedi", retry: "Yeniden dene",
    offline: "Bağlantı yok. Yeniden deneniyor…", refused: "Sohbet burada kullanılamıyor.", typing: "{name} yazıyor",
    someone: "Biri", greeting: "Merhaba. Nasıl geçtiğini anlatın ya da bir kişiyle görüşmek isteyin.",
    unread: { other: "{count} yeni mesaj" }, you: "Siz",
  },
  el: {
    open: "Άνοιγμα συνομιλίας", close: "Κλείσιμο συνομιλίας", title: "Συνομιλία", send: "Αποστολή", write: "Γράψτε ένα μήνυμα",
    log: "Μηνύματα", assistant: "Αυτόματος βοηθός. Αν θέλετε άνθρωπο, αρκεί μία λέξη.", agent: "Σας απαντά: {name}",
    person: "Θα σας απαντήσει ένας άνθρωπος", sending: "Αποστολή…", sent: "Στάλθηκε", failed: "Δεν στάλθηκε", retry: "Ξανά",
    offline: "Χωρίς σύνδεση. Γίνεται νέα προσπάθεια…", refused: "Η συνομιλία δεν είναι διαθέσιμη εδώ.",
    typing: "Γράφει: {name}", someone: "κάποιος", greeting: "Γεια σας. Πείτε μας πώς ήταν ή ζητήστε να μιλήσετε με άνθρωπο.",
    unread: { one: "{count} νέο μήνυμα", other: "{count} νέα μηνύματα" }, you: "Εσείς",
  },
  fa: {
    open: "باز کردن گفتگو", close: "بستن گفتگو", title: "گفتگو", send: "ارسال", write: "پیامی بنویسید", log: "پیام‌ها",
    assistant: "دستیار خودکار. اگر بخواهید، یک نفر پاسخ می‌دهد.", agent: "{name} همراه شماست", person: "یکی از همکاران به شما پاسخ می‌دهد",
    sending: "در حال ارسال…", sent: "ارسال شد", failed: "ارسال نشد", retry: "دوباره", offline: "اتصال برقرار نیست. در حال تلاش دوباره…",
    refused: "گفتگو در این صفحه در دسترس نیست.", typing: "{name} می‌نویسد", someone: "یک نفر",
    greeting: "سلام. بگویید چطور بود، یا بخواهید با یک نفر صحبت کنید.",
    unread: { one: "{count} پیام تازه", other: "{count} پیام تازه" }, you: "شما",
  },
  sr: {
    open: "Otvori razgovor", close: "Zatvori razgovor", title: "Razgovor", send: "Pošalji", write: "Napišite poruku", log: "Poruke",
    assistant: "Automatski asistent. Ako želite čoveka, samo recite.", agent: "Uz vas je {name}", person: "Odgovoriće vam naš kolega",
    sending: "Šalje se…", sent: "Poslato", failed: "Nije poslato", retry: "Pokušaj ponovo", offline: "Nema veze. Pokušavamo ponovo…",
    refused: "Razgovor ovde nije dostupan.", typing: "Piše: {name}", someone: "neko",
    greeting: "Zdravo. Recite nam kako je bilo ili zatražite čoveka.",
    unread: { one: "{count} nova poruka", few: "{count} nove poruke", other: "{count} novih poruka" }, you: "Vi",
  },
  "sr-cyrl": {
    open: "Отвори разговор", close: "Затвори разговор", title: "Разговор", send: "Пошаљи", write: "Напишите поруку", log: "Поруке",
    assistant: "Аутоматски асистент. Ако желите човека, само реците.", agent: "Уз вас је {name}", person: "Одговориће вам наш колега",
    sending: "Шаље се…", sent: "Послато", failed: "Није послато", retry: "Покушај поново", offline: "Нема везе. Покушавамо поново…",
    refused: "Разговор овде није доступан.", typing: "Пише: {name}", someone: "неко",
    greeting: "Здраво. Реците нам како је било или затражите човека.",
    unread: { one: "{count} нова порука", few: "{count} нове поруке", other: "{count} нових порука" }, you: "Ви",
  },
  es: {
    open: "Abrir el chat", close: "Cerrar el chat", title: "Chat", send: "Enviar", write: "Escriba un mensaje", log: "Mensajes",
    assistant: "Asistente automático. Si prefiere una persona, solo pídalo.", agent: "{name} le atiende", person: "Le responderá una persona",
    sending: "Enviando…", sent: "Enviado", failed: "No enviado", retry: "Reintentar", offline: "Sin conexión. Reintentando…",
    refused: "El chat no está disponible aquí.", typing: "{name} está escribiendo", someone: "Alguien",
    greeting: "Hola. Cuéntenos cómo fue, o pida hablar con una persona.",
    unread: { one: "{count} mensaje nuevo", other: "{count} mensajes nuevos" }, you: "Usted",
  },
  de: {
    open: "Chat öffnen", close: "Chat schließen", title: "Chat", send: "Senden", write: "Nachricht schreiben", log: "Nachrichten",
    assistant: "Automatischer Assistent. Ein Wort, und ein Mensch übernimmt.", agent: "{name} ist für Sie da",
    person: "Ein Mensch wird Ihnen antworten", sending: "Wird gesendet…", sent: "Gesendet", failed: "Nicht gesendet", retry: "Noch einmal",
    offline: "Keine Verbindung. Neuer Versuch…", refused: "Der Chat ist hier nicht verfügbar.", typing: "{name} schreibt",
    someone: "Jemand", greeting: "Guten Tag. Erzählen Sie, wie es war, oder fragen Sie nach einem Menschen.",
    unread: { one: "{count} neue Nachricht", other: "{count} neue Nachrichten" }, you: "Sie",
  },
};

const RIGHT_TO_LEFT = new Set(["fa", "ar", "he", "ur"]);

/** The words for a BCP 47 tag: the nearest language that we speak, else English. */
export function wordsFor(language = "en") {
  const tag = language.toLowerCase();
  const found = [tag, tag.split("-").slice(0, 2).join("-"), tag.split("-")[0]].find((key) => key in WORDS) ?? "en";
  return { ...WORDS[found], language: found === "en" ? "en" : language, dir: RIGHT_TO_LEFT.has(found) ? "rtl" : "ltr" };
}

/** How to write times and dates: as the reader's own browser does where it speaks the same language. */
export function localeFor(language, wanted = navigator.languages ?? []) {
  const [primary] = language.toLowerCase().split("-");
  return wanted.find((tag) => tag.toLowerCase().split("-")[0] === primary) ?? language;
}

/** Fills {name} and {count}; a counted phrase takes the plural form of its language. */
export function say(words, key, values = {}) {
  let phrase = words[key];
  if (typeof phrase === "object") {
    const form = new Intl.PluralRules(words.language).select(values.count);
    phrase = phrase[form] ?? phrase.other;
    values = { ...values, count: new Intl.NumberFormat(words.language).format(values.count) };
  }
  return phrase.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const languages = Object.keys(WORDS);
export const keysOf = (language) => Object.keys(WORDS[language]).sort();
