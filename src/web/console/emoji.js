// The emoji of the picker and their names, in groups. The names are those of Unicode, shortened,
// with words that people search for.
// @ts-check

/** @type {[string, string][]} */
const LISTS = [
  ['Smileys',
    '😀 grinning happy smile face|😃 smiling open mouth|😄 smiling open mouth smiling eyes|😁 grinning smiling eyes|😆 smiling open mouth tightly closed eyes|' +
    '😅 sweat smile phew smiling open mouth cold|🤣 rofl laugh rolling on floor laughing|😂 joy laugh tears lol|🙂 slightly smiling face|🙃 upside down face|' +
    '🫠 melting face|😉 winking face|😊 smiling smiling eyes|😇 smiling halo|🥰 smiling smiling eyes three hearts|😍 smiling heart shaped eyes|' +
    '🤩 grinning star eyes|😘 face throwing a kiss|😗 kissing face|😚 kissing closed eyes|😙 kissing smiling eyes|🥲 smiling tear|😋 face savouring delicious food|' +
    '😛 stuck out tongue|😜 stuck out tongue winking eye|🤪 grinning one large one small eye|😝 stuck out tongue tightly closed eyes|🤑 money mouth face|' +
    '🤗 hugging face|🤭 smiling smiling eyes hand covering mouth|🫢 open eyes hand over mouth|🫣 peeking eye|🤫 finger covering closed lips|🤔 thinking hmm face|' +
    '🫡 salute saluting face|🤐 zipper mouth face|🤨 one eyebrow raised|😐 neutral face|😑 expressionless face|😶 face without mouth|😏 smirking face|' +
    '😒 unamused face|🙄 rolling eyes|😬 grimacing face|🤥 lying face|😌 relieved face|😔 pensive face|😪 sleepy face|🤤 drooling face|😴 sleep sleeping face|' +
    '😷 medical mask|🤒 thermometer|🤕 head bandage|🤢 nauseated face|🤮 open mouth vomiting|🤧 sneezing face|🥵 overheated face|🥶 freezing face|' +
    '🥴 uneven eyes wavy mouth|😵 dizzy face|🤯 mind blown shocked exploding head|🤠 cowboy hat|🥳 partying party horn party hat|🥸 disguised face|' +
    '😎 cool sunglasses smiling|🤓 nerd face|🧐 monocle|😕 confused face|🫤 diagonal mouth|😟 worried face|🙁 slightly frowning face|😮 open mouth|😯 hushed face|' +
    '😲 astonished face|😳 flushed face|🥺 pleading puppy eyes|🥹 face holding back tears|😦 frowning open mouth|😧 anguished face|😨 fearful face|' +
    '😰 open mouth cold sweat|😥 disappointed but relieved face|😢 sad cry crying face|😭 crying sob loudly face|😱 face screaming in fear|😖 confounded face|' +
    '😣 persevering face|😞 disappointed face|😓 cold sweat|😩 weary face|😫 tired face|🥱 yawning face|😤 look triumph|😡 angry pouting face|😠 angry face|' +
    '🤬 serious symbols covering mouth|😈 smiling horns|👿 imp|💀 skull|💩 poop pile poo|🤡 clown face|👻 ghost|👽 extraterrestrial alien|🤖 robot face'],
  ['People',
    '👋 wave hello hi bye waving hand|🤚 raised back hand|✋ raised hand|🖖 raised hand part between middle ring fingers|🫱 rightwards hand|🫲 leftwards hand|' +
    '👌 ok hand|🤌 pinched fingers|🤏 pinching hand|✌️ peace victory hand|🤞 hand index middle fingers crossed|🫰 hand index finger thumb crossed|' +
    '🤟 i love you hand|🤘 horns|🤙 call me hand|👈 left pointing backhand index|👉 right pointing backhand index|👆 up pointing backhand index|' +
    '👇 down pointing backhand index|☝️ up pointing index|🫵 index pointing at viewer|👍 thumbs up plus one yes like agree|' +
    '👎 thumbs down minus one no dislike|✊ raised fist|👊 fisted hand|🤛 left facing fist|🤜 right facing fist|👏 clap applause clapping hands|' +
    '🙌 raised hands hooray person raising both in celebration|🫶 heart hands|👐 open hands|🤲 palms up together|🤝 handshake deal|' +
    '🙏 pray thanks please person folded hands|✍️ writing hand|💅 nail polish|🤳 selfie|💪 muscle strong flexed biceps|🧠 brain|👀 eyes look see|👂 ear|👃 nose|' +
    '👅 tongue|👄 mouth|👶 baby|🧒 child|👦 boy|👧 girl|🧑 adult|👱 person blond hair|👨 man|👩 woman|🧓 older adult|👴 older man|👵 older woman|🙍 person frowning|' +
    '🙎 person pouting face|🙅 no good gesture|🙆 ok gesture|💁 information desk person|🙋 happy person raising one hand|🙇 person bowing deeply|' +
    '🤦 facepalm face palm|🤷 shrug dunno|👮 police officer|🕵️ sleuth or spy|💂 guardsman|👷 construction worker|🤴 prince|👸 princess|🦸 superhero|🦹 supervillain|' +
    '🧙 mage|🧚 fairy|🚶 pedestrian|🏃 runner|💃 dancer|🕺 man dancing|🧘 person in lotus position|🏄 surfer|🚴 bicyclist|👫 couple man woman holding hands|' +
    '👭 two women holding hands|👬 two men holding hands|👪 family|🗣️ speaking head in silhouette|👤 bust in silhouette|👥 busts in silhouette'],
  ['Hearts and signs',
    '❤️ red heart love black|🧡 orange heart|💛 yellow heart|💚 green heart|💙 blue heart|💜 purple heart|🤎 brown heart|🖤 black heart|🤍 white heart|' +
    '💔 broken heart|💕 two hearts|💞 revolving hearts|💓 beating heart|💗 growing heart|💖 sparkling heart|💘 heart with arrow|💝 heart with ribbon|' +
    '💯 hundred perfect points|💢 anger|💥 collision|💫 dizzy|💦 splashing sweat|💨 dash|💬 speech balloon|💭 thought balloon|💤 sleeping|' +
    '✅ check mark done yes white|❌ cross mark no|❗ exclamation mark|❓ black question mark ornament|⚠️ warning|🚫 no entry|⛔ no entry|🔴 large red circle|' +
    '🟠 large orange circle|🟡 large yellow circle|🟢 large green circle|🔵 large blue circle|🟣 large purple circle|⚫ medium black circle|⚪ medium white circle|' +
    '⭐ white medium star|🌟 glowing star|✨ sparkles|🔥 fire hot lit|⚡ high voltage|☑️ ballot box with check|✔️ check mark|➕ plus|➖ minus|' +
    '➡️ black rightwards arrow|⬅️ leftwards black arrow|⬆️ upwards black arrow|⬇️ downwards black arrow|' +
    '🔁 clockwise rightwards and leftwards open circle arrows|🔔 bell|🔕 bell with cancellation stroke|🔒 lock|🔓 open lock|🔑 key|♻️ black universal recycling|' +
    '🆕 squared new|🆗 squared ok|🆘 squared sos|🏁 chequered flag|🚩 triangular flag on post'],
  ['Nature',
    '🐶 dog face|🐱 cat face|🐭 mouse face|🐹 hamster face|🐰 rabbit face|🦊 fox face|🐻 bear face|🐼 panda face|🐨 koala|🐯 tiger face|🦁 lion face|🐮 cow face|' +
    '🐷 pig face|🐸 frog face|🐵 monkey face|🙈 see no evil monkey|🙉 hear no evil monkey|🙊 speak no evil monkey|🐔 chicken|🐧 penguin|🐦 bird|🐤 baby chick|🦆 duck|' +
    '🦅 eagle|🦉 owl|🦇 bat|🐺 wolf face|🐴 horse face|🦄 unicorn face|🐝 honeybee|🐛 bug|🦋 butterfly|🐌 snail|🐞 lady beetle|🐜 ant|🐢 turtle|🐍 snake|🐙 octopus|' +
    '🦑 squid|🦀 crab|🐬 dolphin|🐳 spouting whale|🦈 shark|🐘 elephant|🦒 giraffe face|🐕 dog|🐈 cat|🦔 hedgehog|🌵 cactus|🎄 christmas tree|🌲 evergreen tree|' +
    '🌳 deciduous tree|🌴 palm tree|🌱 seedling|🌿 herb|☘️ shamrock|🍀 four leaf clover|🍁 maple leaf|🍂 fallen leaf|🌷 tulip|🌹 rose|🌻 sunflower|🌼 blossom|' +
    '🌸 cherry blossom|🍄 mushroom|🌍 earth globe europe africa|🌙 crescent moon|🌞 sun face|☀️ sun rays|⛅ sun behind cloud|🌧️ cloud rain|🌩️ cloud lightning|' +
    '❄️ snowflake|☃️ snowman|🌈 rainbow|🌊 water wave'],
  ['Food',
    '🍏 green apple|🍎 red apple|🍐 pear|🍊 tangerine|🍋 lemon|🍌 banana|🍉 watermelon|🍇 grapes|🍓 strawberry|🫐 blueberries|🍒 cherries|🍑 peach|🥭 mango|🍍 pineapple|' +
    '🥥 coconut|🥝 kiwifruit|🍅 tomato|🥑 avocado|🥦 broccoli|🥕 carrot|🌽 ear maize|🌶️ hot pepper|🥔 potato|🍞 bread|🥐 croissant|🥖 baguette bread|🥨 pretzel|' +
    '🧀 cheese wedge|🥚 egg|🍳 cooking|🥞 pancakes|🥓 bacon|🍗 poultry leg|🍔 hamburger|🍟 french fries|🍕 slice pizza|🌭 hot dog|🥪 sandwich|🌮 taco|🌯 burrito|' +
    '🥗 green salad|🍝 spaghetti|🍜 steaming bowl|🍣 sushi|🍱 bento box|🍙 rice ball|🍚 cooked rice|🍦 soft ice cream|🍩 doughnut|🍪 cookie|🎂 birthday cake|' +
    '🍰 shortcake|🧁 cupcake|🍫 chocolate bar|🍬 candy|🍿 popcorn|☕ coffee hot drink beverage|🍵 teacup without handle|🥤 cup straw|🍺 beer mug|' +
    '🍻 cheers beer clinking mugs|🥂 clinking glasses|🍷 wine glass|🍹 tropical drink'],
  ['Activities and places',
    '⚽ soccer ball|🏀 basketball hoop|🏈 american football|🎾 tennis racquet ball|🏐 volleyball|🎱 billiards|🏓 table tennis paddle ball|' +
    '🏸 badminton racquet shuttlecock|🥅 goal net|⛳ flag in hole|🎣 fishing pole fish|🥊 boxing glove|🎽 running shirt sash|⛷️ skier|🏂 snowboarder|🏆 trophy|' +
    '🥇 first place medal|🥈 second place medal|🥉 third place medal|🏅 sports medal|🎫 ticket|🎪 circus tent|🎭 performing arts|🎨 artist palette|🎬 clapper board|' +
    '🎤 microphone|🎧 headphone|🎹 musical keyboard|🥁 drum drumsticks|🎸 guitar|🎲 game die|🎯 direct hit|🎳 bowling|🎮 video game|🧩 jigsaw puzzle piece|' +
    '🚗 automobile|🚕 taxi|🚌 bus|🚑 ambulance|🚒 fire engine|🚓 police car|🚚 delivery truck|🚜 tractor|🚲 bicycle|🛴 scooter|🚂 steam locomotive|✈️ airplane|' +
    '🚀 rocket ship launch|🛸 flying saucer|🚁 helicopter|⛵ sailboat|🚢 ship|⚓ anchor|🏠 house building|🏢 office building|🏥 hospital|🏦 bank|🏨 hotel|' +
    '🏪 convenience store|🏫 school|🏭 factory|🗼 tokyo tower|🗽 statue liberty|⛺ tent|🌋 volcano|🏝️ desert island|🎉 party popper tada celebrate|🎊 confetti ball|' +
    '🎈 balloon|🎁 wrapped present|🪅 pinata'],
  ['Things',
    '⌚ watch|📱 mobile phone|💻 personal computer|⌨️ keyboard|🖥️ desktop computer|🖨️ printer|🖱️ three button mouse|💾 floppy disk|📷 camera|📹 video camera|' +
    '📺 television|📻 radio|⏰ alarm clock|⏱️ stopwatch|⏳ hourglass flowing sand|🔋 battery|🔌 electric plug|💡 electric light bulb|🔦 electric torch|🕯️ candle|' +
    '🧯 fire extinguisher|💰 money bag|💳 credit card|💎 gem stone|⚖️ scales|🔧 fix wrench|🔨 hammer|🛠️ hammer wrench|⚙️ gear|🧲 magnet|🔬 microscope|🔭 telescope|' +
    '📡 satellite antenna|💉 syringe|💊 pill|🚪 door|🛏️ bed|🛒 shopping trolley|🧹 broom|🧻 roll paper|🧼 bar soap|📦 package|📫 closed mailbox raised flag|' +
    '📩 envelope downwards arrow above|📧 e mail|📝 memo|📄 page facing up|📊 bar chart|📈 chart up growth upwards trend|📉 chart down downwards trend|📅 calendar|' +
    '📌 pushpin|📍 round pushpin|📎 paperclip|✂️ scissors|📁 file folder|📂 open file folder|🗑️ wastebasket|📚 books|📖 open book|🔖 bookmark|🔗 link|' +
    '🔍 left pointing magnifying glass|🔎 right pointing magnifying glass|🏷️ label|🗳️ ballot box ballot|☎️ telephone|📞 telephone receiver|' +
    '📣 cheering megaphone|📢 public address loudspeaker|🎓 graduation cap|👑 crown|👓 eyeglasses|🌂 closed umbrella|☂️ umbrella'],
  ['Flags',
    '🏳️‍🌈 rainbow flag pride|🏴‍☠️ pirate flag|🇺🇳 united nations|🇪🇺 european union|🇺🇸 united states flag|🇬🇧 united kingdom flag|🇨🇦 canada flag|' +
    '🇦🇺 australia flag|🇩🇪 germany flag|🇫🇷 france flag|🇪🇸 spain flag|🇮🇹 italy flag|🇵🇹 portugal flag|🇳🇱 netherlands flag|🇧🇪 belgium flag|🇨🇭 switzerland flag|' +
    '🇦🇹 austria flag|🇵🇱 poland flag|🇨🇿 czechia flag|🇩🇰 denmark flag|🇸🇪 sweden flag|🇳🇴 norway flag|🇫🇮 finland flag|🇮🇪 ireland flag|🇬🇷 greece flag|' +
    '🇹🇷 turkey flag|🇺🇦 ukraine flag|🇮🇱 israel flag|🇪🇬 egypt flag|🇿🇦 south africa flag|🇳🇬 nigeria flag|🇰🇪 kenya flag|🇮🇳 india flag|🇵🇰 pakistan flag|' +
    '🇨🇳 china flag|🇯🇵 japan flag|🇰🇷 south korea flag|🇹🇼 taiwan flag|🇻🇳 vietnam flag|🇹🇭 thailand flag|🇮🇩 indonesia flag|🇵🇭 philippines flag|' +
    '🇸🇬 singapore flag|🇧🇷 brazil flag|🇦🇷 argentina flag|🇲🇽 mexico flag|🇨🇱 chile flag|🇨🇴 colombia flag|🇸🇦 saudi arabia flag|🇦🇪 united arab emirates flag'],
];

/** @typedef {{ emoji: string, name: string }} Named */

/** @type {{ name: string, emoji: Named[] }[]} */
export const GROUPS = LISTS.map(([name, list]) => ({
  name,
  emoji: list.split('|').map((one) => ({ emoji: one.slice(0, one.indexOf(' ')), name: one.slice(one.indexOf(' ') + 1) })),
}));

/** All of them. */
export const EMOJI = GROUPS.flatMap(({ emoji }) => emoji);
