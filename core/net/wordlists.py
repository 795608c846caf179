"""Words of the animal names. Data only: 256 of each, so that every value of a byte is a word.

The order is part of the names: appending or moving a word renames every peer on every screen.
"""

_ADJECTIVES = """
able aged agile airy alert amber ample amused ancient apt arctic ardent armored artful ashen
astute autumn awake azure balmy bare barking bashful beaming beige blazing blithe blond blue blunt
bold bouncy brainy brass brave breezy brief bright brisk bristly bronze brown bubbly burly bushy
busy calm candid canny careful casual cedar cheerful chilly chirping chunky civil clean clear
clever cloudy clumsy coastal cobalt colossal copper coral cosmic cozy crafty creamy crimson crisp
crystal cuddly curious curly cyan daily dainty dapper dappled daring dashing dazzling deep deft
dense devoted dewy diligent distant dizzy downy dreamy droll drowsy dusky dusty eager early
earnest earthy easy elated elegant elfin emerald endless epic even exact fabled fair faithful
famous fancy feathered feisty fern festive fierce fiery fine firm flaxen fleet flinty floating
fluffy flying fond forest foxy frank free fresh frisky frosty frugal furry fuzzy gallant genial
gentle giant giddy gifted gilded glad gleaming glossy glowing golden graceful grand grassy gray
great green grinning gritty grumpy gusty hairy handy happy hardy hasty hazel hazy hearty helpful
hidden hoarse hollow honest hopeful howling huge humble humming hungry husky icy indigo ivory jade
jagged jaunty jazzy jolly jovial joyful jumping keen khaki kind knotty lanky large lavender lazy
leafy lean leaping lemon lively lofty lone long loud loyal lucid lucky lunar lush majestic mango
marbled maroon masked meadow mellow melodic merry mighty mild minty misty modest mossy mottled
muddy musing muted mystic nautical navy neat nifty nimble noble nocturnal nosy olive orange
patient plucky polished proud purple quick quiet rapid rosy
"""
ADJECTIVES: tuple[str, ...] = tuple(_ADJECTIVES.split())

_ANIMALS = """
aardvark albatross alligator alpaca anchovy anteater antelope armadillo axolotl baboon badger
bandicoot barbet barnacle barracuda bat beagle bear beaver bee beetle bison bittern boa boar
bobcat bongo booby buffalo bulldog bullfinch bunting bushbaby butterfly buzzard camel canary
capybara caracal caribou cassowary cat caterpillar catfish centipede chameleon chamois cheetah
chickadee chicken chinchilla chipmunk cicada civet clam coati cobra cockatoo cod collie condor
coot corgi cormorant cougar cow coyote crab crane cricket crocodile crow cuckoo curlew deer dhole
dingo dipper dodo dog dolphin donkey dormouse dove dragonfly duck dugong dunlin eagle earwig
echidna eel egret eland elephant elk emu ermine falcon ferret finch firefly flamingo flounder fly
fossa fox frog gannet gazelle gecko gerbil gibbon giraffe gnat gnu goat goldfinch goldfish goose
gopher gorilla goshawk grebe grouper grouse guanaco gull guppy haddock halibut hamster hare
harrier hawk hedgehog heron herring hippo hornbill hornet horse hoverfly hummingbird hyena ibex
ibis iguana impala jabiru jacana jackal jackdaw jaguar jay jellyfish jerboa kakapo kangaroo
kestrel kingfisher kinglet kite kiwi koala kookaburra krill kudu ladybird lapwing lark lemming
lemur leopard limpet linnet lion lizard llama lobster locust loon loris lynx macaque macaw
mackerel magpie mallard manatee mandrill mantis margay marlin marmot marten martin meerkat mink
minnow mole mongoose moose moth mouse mule narwhal newt nightjar numbat nuthatch ocelot octopus
okapi opossum orca oriole oryx osprey ostrich otter owl ox oyster panda pangolin panther parakeet
parrot partridge peacock pelican penguin perch petrel pheasant pig pigeon pika pike plover polecat
pony porcupine porpoise possum prawn puffin puma python quail quetzal quokka quoll rabbit raccoon
"""
ANIMALS: tuple[str, ...] = tuple(_ANIMALS.split())
